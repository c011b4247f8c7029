/**
 * Images that were made to deceive: /dev, /proc and files in them that are symlinks, a forged null device, a working
 * directory in /proc/self/fd.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { privateWorld, runtimes, session, tempBundle, temporaryFolder } from '../harness/index.ts';
import { failureOf, JSON_LOG } from '../support/errors.ts';
import { look, lookAt, testsOf } from '../support/inside.ts';
import { mountAt, parseMountinfo } from '../support/status.ts';

const { skip } = privateWorld();

/** Without what the config mounts in /dev. */
function withoutDev<Entry extends { destination: string }>(mounts: readonly Entry[]): Entry[] {
  return mounts.filter(({ destination }) => !destination.startsWith('/dev'));
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('CVE-2026-41579: /dev is a symlink to a folder of the host', (t) => {
    const outside = temporaryFolder(t);
    writeFileSync(join(outside, 'ptmx'), 'of the host');
    const state = (): string =>
      readdirSync(outside)
        .map((name) => `${name} ${lstatSync(join(outside, name)).mode}`)
        .join('\n');
    const before = state();
    const own = (rootfs: string): void => {
      rmSync(join(rootfs, 'dev'), { recursive: true });
      symlinkSync(outside, join(rootfs, 'dev'));
      mkdirSync(join(rootfs, outside), { recursive: true });
    };
    const commands = { devices: `readlink -f /dev; ls /dev; ls ${outside}; readlink /dev/ptmx` };
    for (const mounted of [true, false]) {
      const seen = look(t, runtime, commands, {
        own,
        config: (spec) => {
          if (!mounted) spec.mounts = withoutDev(spec.mounts);
        },
      });
      assert.match(seen.devices!, new RegExp(`^${outside}\\n(.*\\n)*full\\n(.*\\n)*pts/ptmx$`));
      assert.equal(state(), before);
    }
    // The host's own /dev is where it was.
    assert.ok(lstatSync('/dev/null').isCharacterDevice());
  });

  it('CVE-2026-41579: /dev/ptmx and its like are symlinks to files of the host', (t) => {
    const file = join(temporaryFolder(t), 'precious');
    writeFileSync(file, 'precious');
    const seen = look(
      t,
      runtime,
      { ptmx: 'readlink /dev/ptmx; readlink /dev/fd' },
      {
        own: (rootfs) => {
          for (const name of ['ptmx', 'fd', 'console', 'core']) symlinkSync(file, join(rootfs, 'dev', name));
          symlinkSync(file, join(rootfs, 'dev/null'));
        },
        config: (spec) => {
          spec.mounts = withoutDev(spec.mounts);
        },
      },
    );
    assert.match(seen.ptmx!, /^pts\/ptmx\n/);
    assert.equal(readFileSync(file, 'utf8'), 'precious');
  });

  it('CVE-2025-31133: the image’s /dev/null is a symlink, and masked files are masked with the null device', (t) => {
    const seen = look(
      t,
      runtime,
      {
        kinds: "stat -c '%F %t:%T' /proc/keys /proc/timer_list",
        read: 'cat /proc/keys; echo > /proc/keys; echo $?',
        mounts: 'cat /proc/self/mountinfo',
      },
      {
        own: (rootfs) => {
          symlinkSync('/proc/sys/kernel/core_pattern', join(rootfs, 'dev/null'));
        },
        config: (spec) => {
          spec.mounts = withoutDev(spec.mounts);
        },
      },
    );
    assert.equal(seen.kinds, 'character special file 1:3\ncharacter special file 1:3');
    assert.equal(seen.read, '0');
    assert.equal(mountAt(parseMountinfo(seen.mounts!), '/proc/keys').root, '/null');
  });

  it('CVE-2019-16884, CVE-2023-28642: nothing is mounted over or in /proc, by whatever path', (t) => {
    const forged = temporaryFolder(t);
    writeFileSync(join(forged, 'file'), '');
    const links: Record<string, string> = {
      link: '/proc',
      self: '/proc/self',
      deep: '/tmp/../proc/sys',
      file: '/proc/keys',
    };
    const cases: [destination: string, source: string, pattern: RegExp][] = [
      ['/proc', forged, /only a proc file system can be mounted on \/proc/],
      ['/proc/', forged, /only a proc file system can be mounted on \/proc/],
      ['/x/../proc', forged, /only a proc file system can be mounted on \/proc/],
      ['proc', forged, /only a proc file system can be mounted on \/proc/],
      ['/proc/self/attr', forged, /inside \/proc/],
      ['/link', forged, /mounts\[6\]: the destination leads into \/proc.*EPERM/],
      ['/link/self/attr', forged, /mounts\[6\]: the destination leads into \/proc.*EPERM/],
      ['/self', forged, /mounts\[6\]: the destination leads into \/proc.*EPERM/],
      ['/deep/kernel', forged, /mounts\[6\]: the destination leads into \/proc.*EPERM/],
      ['/file', join(forged, 'file'), /mounts\[6\]: the destination leads into \/proc.*EPERM/],
    ];
    for (const [destination, source, pattern] of cases) {
      for (const type of ['bind', 'tmpfs']) {
        if (type === 'tmpfs' && source !== forged) continue;
        const result = lookAt(t, runtime, 'true', {
          globals: JSON_LOG,
          own: (rootfs) => {
            for (const [name, target] of Object.entries(links)) symlinkSync(target, join(rootfs, name));
          },
          config: (spec) =>
            void spec.mounts.push({
              destination,
              source,
              type,
              options: type === 'bind' ? ['bind'] : ['mode=755'],
            }),
        });
        const text = destination === 'proc' ? result.stderr : failureOf(result).msg;
        assert.match(text, pattern, `${type} ${destination}`);
      }
    }
  });

  it('a symlink to a magic link of procfs is not followed', (t) => {
    for (const [name, target] of Object.entries({
      toRoot: '/proc/self/root',
      toCwd: '/proc/self/cwd',
      toFd: '/proc/1/fd/0',
    })) {
      const result = lookAt(t, runtime, 'true', {
        globals: JSON_LOG,
        own: (rootfs) => symlinkSync(target, join(rootfs, name)),
        config: (spec) =>
          void spec.mounts.push({
            destination: `/${name}/x`,
            type: 'tmpfs',
            source: 'x',
            options: ['mode=755'],
          }),
      });
      assert.match(failureOf(result).msg, /mounts\[6\]: .*(ELOOP|ENOENT|ENOTDIR)/, name);
    }
  });

  it('CVE-2025-52881: sysctls are written to the kernel, whatever the image has in /proc/sys', (t) => {
    const file = join(temporaryFolder(t), 'file');
    writeFileSync(file, 'untouched');
    const seen = look(
      t,
      runtime,
      { text: 'cat /proc/sys/kernel/msgmax' },
      {
        own: (rootfs) => {
          mkdirSync(join(rootfs, 'proc/sys/kernel'), { recursive: true });
          symlinkSync(file, join(rootfs, 'proc/sys/kernel/msgmax'));
        },
        config: (spec) => {
          spec.mounts = spec.mounts.filter(({ destination }) => destination !== '/proc');
          spec.linux.sysctl = { 'kernel.msgmax': '12345' };
          spec.linux.maskedPaths = [];
          spec.linux.readonlyPaths = [];
        },
      },
    );
    assert.match(seen.text!, /No such file|can't open/);
    assert.equal(readFileSync(file, 'utf8'), 'untouched');
  });

  it('CVE-2024-21626: a working directory in /proc/self/fd is none of the host’s', (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, { args: ['pwd'] });
    symlinkSync('/proc/self/fd/7', join(bundle.rootfs, 'work'));
    for (const cwd of [
      ...Array.from({ length: 22 }, (_, i) => `/proc/self/fd/${i + 3}`),
      '/work',
      '/proc/self/fd/7/../../..',
    ]) {
      bundle.config.process.cwd = cwd;
      bundle.save();
      const { code, stdout, stderr } = s.run(bundle, { globals: JSON_LOG });
      assert.deepEqual([code, stdout], [1, ''], `${cwd}: ${stderr}`);
      assert.match(stderr, /process\.cwd/, cwd);
    }
  });

  it('CVE-2024-21626: nor is that of exec', (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, { args: ['sleep', '100'] });
    symlinkSync('/proc/self/fd/8', join(bundle.rootfs, 'work'));
    const { id, code, output } = s.detach(bundle);
    assert.equal(code, 0, output());
    for (const cwd of [...Array.from({ length: 22 }, (_, i) => `/proc/self/fd/${i + 3}`), '/work']) {
      const result = s.call(['exec', '--cwd', cwd, id, 'sh', '-c', 'pwd; ls ..']);
      assert.deepEqual([result.code, result.stdout], [255, ''], `${cwd}: ${result.stderr}`);
    }
  });

  it('CVE-2025-24965: nothing is written into the image but what mounts need', (t) => {
    const list = (folder: string): string =>
      spawnSync('find', ['.', '-printf', '%p %y %m %s %l\\n'], { cwd: folder, encoding: 'utf8' }).stdout;
    const bundle = tempBundle(t, { args: ['true'] });
    symlinkSync('/etc/passwd', join(bundle.rootfs, 'run/link'));
    const before = list(bundle.rootfs);
    const { code, stderr } = session(t, runtime).run(bundle);
    assert.equal(code, 0, stderr);
    assert.equal(list(bundle.rootfs), before);
  });

  it('the rootfs itself is no symlink', (t) => {
    const bundle = tempBundle(t, { args: ['true'] });
    symlinkSync('/', join(bundle.path, 'link'));
    for (const path of ['link', join(bundle.path, 'link'), 'link/']) {
      bundle.config.root.path = path;
      bundle.save();
      const { code, stderr } = session(t, runtime).run(bundle);
      assert.equal(code, 1);
      assert.match(stderr, /root\.path: .*is a symlink/, path);
    }
    assert.equal(readlinkSync(join(bundle.path, 'link')), '/');
    assert.ok(existsSync('/etc/passwd'));
  });
}
