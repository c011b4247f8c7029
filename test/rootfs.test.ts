/** `root`, masked and read-only paths, devices, and the propagation of the root. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Spec } from '../src/spec/types.ts';
import {
  makeRootfs,
  mountPoints,
  privateWorld,
  runtimes,
  session,
  tempBundle,
  temporaryFolder,
} from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { look, testsOf } from './support/inside.ts';
import { mountAt, parseMountinfo } from './support/status.ts';

const { skip } = privateWorld();

type Propagation = NonNullable<NonNullable<Spec['linux']>['rootfsPropagation']>;

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('a read-only root: nothing can be written but in the mounts that can', (t) => {
    const seen = look(
      t,
      runtime,
      {
        root: 'touch /x',
        below: 'touch /etc/x',
        remount: 'mount -o remount,rw /',
        dev: 'touch /dev/x && echo ok',
        tmp: 'touch /tmp/x && echo ok',
        mounts: 'cat /proc/self/mountinfo',
      },
      {
        own: () => {},
        config: (spec) => {
          spec.root.readonly = true;
          // Its destination is to be made although the root is read-only later.
          spec.mounts.push({ destination: '/new/tmp', type: 'tmpfs', source: 'tmpfs' });
          spec.mounts.push({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs' });
        },
      },
    );
    assert.match(seen.root!, /Read-only file system/);
    assert.match(seen.below!, /Read-only file system/);
    assert.match(seen.remount!, /Operation not permitted|must be superuser|permission denied/i);
    assert.deepEqual([seen.dev, seen.tmp], ['ok', 'ok']);
    const mounts = parseMountinfo(seen.mounts!);
    assert.ok(mountAt(mounts, '/').options.includes('ro'));
    assert.ok(mountAt(mounts, '/new/tmp').options.includes('rw'));
  });

  it('the root itself: its own files, nothing of the host, and a mount on the way', (t) => {
    const before = mountPoints();
    let rootfs = '';
    const seen = look(
      t,
      runtime,
      {
        files: 'ls /',
        up: 'cd /; cd ..; pwd; ls -d /..; ls /../../bin/busybox',
        mounts: 'cat /proc/self/mountinfo',
        inode: 'stat -c %i /',
      },
      {
        own: (path) => {
          rootfs = path;
          mkdirSync(join(path, 'inner'));
          assert.equal(spawnSync('mount', ['-t', 'tmpfs', 'inner', join(path, 'inner')]).status, 0);
          writeFileSync(join(path, 'inner/there'), '');
        },
      },
    );
    assert.deepEqual(seen.files!.split('\n'), [
      'bin',
      'dev',
      'etc',
      'inner',
      'proc',
      'root',
      'run',
      'sys',
      'tmp',
      'usr',
      'var',
    ]);
    assert.equal(seen.up, '/\n/..\n/../../bin/busybox');
    assert.equal(seen.inode, String(statSync(rootfs).ino));
    const mounts = parseMountinfo(seen.mounts!);
    assert.equal(mounts.filter(({ point }) => point === '/').length, 1);
    assert.equal(mountAt(mounts, '/inner').type, 'tmpfs');
    assert.deepEqual(
      mountPoints().filter((point) => point !== join(rootfs, 'inner')),
      before,
    );
  });

  it('root.path: absolute, relative, with whatever a path may have', (t) => {
    const s = session(t, runtime);
    for (const name of ['plain', 'with space', 'new\nline', 'ünï😀', '-dash', 'quote\'"', 'x'.repeat(200)]) {
      const bundle = tempBundle(t, { args: ['cat', '/name'], name, rootfs: 'none' });
      const rootfs = join(bundle.path, name);
      mkdirSync(rootfs);
      writeFileSync(join(makeRootfs(rootfs), 'name'), name);
      for (const path of [rootfs, name, `./${name}`, `${name}/../${name}/`]) {
        bundle.config.root.path = path;
        bundle.save();
        const { code, stdout, stderr } = s.run(bundle);
        assert.deepEqual([code, stdout, stderr], [0, name, ''], path);
      }
    }
  });

  it('a rootfs that is none', (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, { rootfs: 'none' });
    const run = () => failureOf(s.run(bundle, { globals: JSON_LOG }));
    const missing = run();
    assert.equal(missing.code, 'E_ROOTFS');
    assert.match(missing.msg, /root\.path: .*\/rootfs: no such file or directory/);
    writeFileSync(bundle.rootfs, '');
    assert.match(run().msg, /root\.path: .*not a directory/);
    bundle.config.root.path = 'link';
    bundle.save();
    symlinkSync('/usr', join(bundle.path, 'link'));
    assert.match(run().msg, /root\.path: .*is a symlink/);
    mkdirSync(join(bundle.path, 'empty'));
    bundle.config.root.path = 'empty';
    bundle.save();
    const empty = run();
    assert.equal(empty.code, 'E_EXEC');
    assert.match(empty.msg, /exec: "true": executable file not found in \$PATH/);
    bundle.config.root.path = '';
    bundle.save();
    assert.match(run().msg, /root\.path/);
    delete (bundle.config as Partial<typeof bundle.config>).root;
    bundle.save();
    assert.match(run().msg, /root/);
  });

  it('masked paths: empty, and nothing that comes of writing to them', (t) => {
    const seen = look(
      t,
      runtime,
      {
        file: 'cat /etc/secret; echo x > /etc/secret; cat /etc/secret; ls -l /etc/secret | cut -c1',
        proc: 'cat /proc/keys; ls -l /proc/keys | cut -c1',
        folder: 'ls -A /etc/private; touch /etc/private/x; ls -A /sys/firmware',
        link: 'cat /etc/link; cat /etc/target',
        mounts: 'cat /proc/self/mountinfo',
      },
      {
        own: (rootfs) => {
          writeFileSync(join(rootfs, 'etc/secret'), 'secret\n');
          writeFileSync(join(rootfs, 'etc/target'), 'secret\n');
          symlinkSync('/etc/target', join(rootfs, 'etc/link'));
          for (const name of ['private', 'other']) {
            mkdirSync(join(rootfs, 'etc', name));
            writeFileSync(join(rootfs, 'etc', name, 'key'), '');
          }
        },
        config: (spec) => {
          spec.linux.maskedPaths = [
            '/etc/secret',
            '/no/such',
            '/etc/secret/no',
            '/etc/private',
            '/etc/other',
            '/etc/link',
            '/proc/keys',
            '/sys/firmware',
          ];
        },
      },
    );
    assert.equal(seen.file, 'c');
    assert.equal(seen.proc, 'c');
    assert.match(seen.folder!, /^touch: .*Read-only file system$/);
    assert.equal(seen.link, '');
    const mounts = parseMountinfo(seen.mounts!);
    assert.equal(mountAt(mounts, '/etc/secret').root, '/null');
    for (const point of ['/etc/private', '/etc/other', '/sys/firmware'])
      assert.ok(mountAt(mounts, point).options.includes('ro'), point);
  });

  it('read-only paths, what is mounted below them included', (t) => {
    const seen = look(
      t,
      runtime,
      {
        file: 'echo x > /etc/file',
        folder: 'touch /etc/folder/x',
        below: 'touch /etc/folder/below/x',
        above: 'touch /etc/x && echo ok',
        sysctl: 'echo x > /proc/sys/kernel/domainname',
        mounts: 'cat /proc/self/mountinfo',
      },
      {
        own: (rootfs) => {
          writeFileSync(join(rootfs, 'etc/file'), '');
          mkdirSync(join(rootfs, 'etc/folder/below'), { recursive: true });
        },
        config: (spec) => {
          spec.mounts.push({
            destination: '/etc/folder/below',
            type: 'tmpfs',
            source: 'tmpfs',
            options: ['nosuid', 'noexec'],
          });
          spec.linux.readonlyPaths = ['/etc/file', '/etc/folder', '/no/such', '/proc/sys'];
        },
      },
    );
    for (const name of ['file', 'folder', 'below', 'sysctl'])
      assert.match(seen[name]!, /Read-only file system/, name);
    assert.equal(seen.above, 'ok');
    const below = mountAt(parseMountinfo(seen.mounts!), '/etc/folder/below');
    assert.ok(
      ['ro', 'nosuid', 'noexec'].every((option) => below.options.includes(option)),
      `${below.options}`,
    );
  });

  it('the default devices and links of /dev', (t) => {
    const seen = look(t, runtime, {
      list: 'ls /dev',
      devices: 'cd /dev; stat -c "%n %F %t:%T %a %u:%g" null zero full random urandom tty',
      links: 'cd /dev; for l in fd stdin stdout stderr ptmx; do echo "$l $(readlink $l)"; done',
      work: 'echo x > /dev/null; head -c 3 /dev/zero | wc -c; echo x > /dev/full; head -c 4 /dev/urandom | wc -c',
      ptmx: 'exec 5<>/dev/ptmx && ls /dev/pts',
    });
    assert.deepEqual(
      seen.list!.split('\n').filter((name) => name !== 'core'),
      [
        'fd',
        'full',
        'mqueue',
        'null',
        'ptmx',
        'pts',
        'random',
        'shm',
        'stderr',
        'stdin',
        'stdout',
        'tty',
        'urandom',
        'zero',
      ],
    );
    const device = 'character special file';
    assert.deepEqual(seen.devices!.split('\n'), [
      `null ${device} 1:3 666 0:0`,
      `zero ${device} 1:5 666 0:0`,
      `full ${device} 1:7 666 0:0`,
      `random ${device} 1:8 666 0:0`,
      `urandom ${device} 1:9 666 0:0`,
      `tty ${device} 5:0 666 0:0`,
    ]);
    assert.deepEqual(seen.links!.split('\n'), [
      'fd /proc/self/fd',
      'stdin /proc/self/fd/0',
      'stdout /proc/self/fd/1',
      'stderr /proc/self/fd/2',
      'ptmx pts/ptmx',
    ]);
    assert.match(seen.work!, /^3\n.*No space left on device\n4$/);
    assert.equal(seen.ptmx, '0\nptmx');
  });

  it('linux.devices', (t) => {
    const seen = look(
      t,
      runtime,
      {
        devices:
          'stat -c "%n %F %t:%T %a %u:%g" /dev/char /dev/unbuffered /dev/block /dev/fifo /dev/deep/er/x /etc/dev /dev/null',
        works: 'head -c 2 /dev/char | wc -c',
      },
      {
        own: () => {},
        config: (spec) => {
          spec.linux.devices = [
            { path: '/dev/char', type: 'c', major: 1, minor: 5, fileMode: 0o640, uid: 12, gid: 34 },
            { path: '/dev/unbuffered', type: 'u', major: 1, minor: 5 },
            { path: '/dev/block', type: 'b', major: 259, minor: 1_000_000, fileMode: 0o600 },
            { path: '/dev/fifo', type: 'p', fileMode: 0o604, uid: 5 },
            { path: '/dev/deep/er/x', type: 'c', major: 1, minor: 3, fileMode: 0o4444 },
            { path: '/etc/dev', type: 'c', major: 1, minor: 3, fileMode: 0o400 },
            { path: '/dev/null', type: 'c', major: 1, minor: 3, fileMode: 0o660, gid: 7 },
          ];
        },
      },
    );
    assert.deepEqual(seen.devices!.split('\n'), [
      '/dev/char character special file 1:5 640 12:34',
      '/dev/unbuffered character special file 1:5 666 0:0',
      '/dev/block block special file 103:f4240 600 0:0',
      '/dev/fifo fifo 0:0 604 5:0',
      '/dev/deep/er/x character special file 1:3 4444 0:0',
      '/etc/dev character special file 1:3 400 0:0',
      '/dev/null character special file 1:3 660 0:7',
    ]);
    assert.equal(seen.works, '2');
  });

  it('a /dev that is bound from elsewhere is left as it is', (t) => {
    const dev = join(temporaryFolder(t), 'dev');
    mkdirSync(dev);
    writeFileSync(join(dev, 'own'), '');
    const seen = look(
      t,
      runtime,
      { list: 'ls /dev' },
      {
        config: (spec) => {
          spec.mounts = spec.mounts.filter(({ destination }) => !destination.startsWith('/dev'));
          spec.mounts.push({ destination: '/dev', type: 'bind', source: dev, options: ['rbind', 'ro'] });
        },
      },
    );
    assert.equal(seen.list, 'own');
    assert.deepEqual(readdirSync(dev), ['own']);
  });

  it('an image’s own /dev, without a mount', (t) => {
    const seen = look(
      t,
      runtime,
      { devices: 'cd /dev; ls; stat -c %F null; readlink ptmx' },
      {
        own: (rootfs) => {
          writeFileSync(join(rootfs, 'dev/ptmx'), 'not a terminal');
          symlinkSync('/etc/passwd', join(rootfs, 'dev/stdin'));
        },
        config: (spec) => {
          spec.mounts = spec.mounts.filter(({ destination }) => !destination.startsWith('/dev'));
        },
      },
    );
    assert.match(seen.devices!, /\ncharacter special file\npts\/ptmx$/);
  });

  it('the propagation of the root', (t) => {
    const wanted: Record<string, string[]> = {
      private: [],
      rprivate: [],
      slave: [],
      rslave: [],
      shared: ['shared'],
      rshared: ['shared'],
      unbindable: ['unbindable'],
      runbindable: ['unbindable'],
    };
    const before = mountPoints();
    for (const [rootfsPropagation, propagation] of Object.entries(wanted)) {
      const seen = look(
        t,
        runtime,
        { mounts: 'cat /proc/self/mountinfo' },
        {
          config: (spec) => {
            spec.linux.rootfsPropagation = rootfsPropagation as Propagation;
          },
        },
      );
      const root = mountAt(parseMountinfo(seen.mounts!), '/');
      // In a world whose mounts are private there is nobody to be the slave of.
      assert.deepEqual(root.propagation, propagation, rootfsPropagation);
    }
    assert.deepEqual(mountPoints(), before);
  });

  it('a rootfs on a shared mount: the container’s mounts stay its own', async (t) => {
    const shared = join(temporaryFolder(t), 'shared');
    mkdirSync(shared);
    assert.equal(spawnSync('mount', ['-t', 'tmpfs', 'shared', shared]).status, 0);
    assert.equal(spawnSync('mount', ['--make-shared', shared]).status, 0);
    mkdirSync(join(shared, 'rootfs'));
    const rootfs = makeRootfs(join(shared, 'rootfs'));
    mkdirSync(join(rootfs, 'late'));
    const before = mountPoints();
    for (const rootfsPropagation of [undefined, 'rslave', 'rprivate', 'rshared'] as const) {
      for (const flags of [[], ['--no-pivot']]) {
        if (flags.length > 0 && rootfsPropagation === 'rprivate') continue;
        const s = session(t, runtime);
        const bundle = tempBundle(t, {
          args: ['sh', '-c', 'cat /proc/self/mountinfo'],
          rootfs: { path: rootfs },
          config: (spec) => {
            spec.linux.rootfsPropagation = rootfsPropagation as Propagation;
          },
        });
        const { code, id, output } = s.create(bundle, { flags });
        const what = `${rootfsPropagation} ${flags}`;
        assert.equal(code, 0, `${what}: ${output()}`);
        assert.deepEqual(mountPoints(), before, what);
        s.ok(['start', id]);
        await s.waitFor(id, 'stopped');
        assert.deepEqual(mountPoints(), before, what);
        const root = mountAt(parseMountinfo(output()), '/');
        const expected = {
          rslave: ['master'],
          rprivate: [],
          rshared: ['shared'],
          none: ['master'],
        };
        assert.deepEqual(root.propagation, expected[rootfsPropagation ?? 'none'], what);
      }
    }
  });

  it('--no-pivot: the root is entered by moving and chroot', (t) => {
    const seen = look(
      t,
      runtime,
      { files: 'ls /', up: 'ls /../..', mounts: 'cat /proc/self/mountinfo' },
      {
        flags: ['--no-pivot'],
      },
    );
    assert.match(seen.files!, /^bin\ndev\n/);
    assert.equal(seen.up, seen.files);
    assert.equal(mountAt(parseMountinfo(seen.mounts!), '/proc').type, 'proc');
  });
}
