/** Bad input, each with one clear error and nothing left behind; and how errors reach callers. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  assertNothingLeft,
  type Bundle,
  privateWorld,
  runtimes,
  session,
  snapshot,
  type TestSpec,
  tempBundle,
  temporaryFolder,
  uniqueId,
} from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { scriptBundle, testsOf } from './support/inside.ts';
import { capabilitySets } from './support/status.ts';

const { skip } = privateWorld();

/** Replaces the text of config.json, or what stands in its place. */
const BAD_CONFIGS: Record<string, [make: (path: string, text: string) => void, code: RegExp, msg: RegExp]> = {
  empty: [(path) => writeFileSync(path, ''), /E_CONFIG_SYNTAX/, /config\.json/],
  'white space': [(path) => writeFileSync(path, ' \n\t'), /E_CONFIG_SYNTAX/, /config\.json/],
  truncated: [
    (path, text) => writeFileSync(path, text.slice(0, text.length / 2)),
    /E_CONFIG_SYNTAX/,
    /config\.json.*(line \d+|\d+:\d+)/,
  ],
  'a comma too many': [
    (path, text) => writeFileSync(path, text.replace('"root": {', '"x": [1,],\n"root": {')),
    /E_CONFIG_SYNTAX/,
    /config\.json.*(line \d+|\d+:\d+)/,
  ],
  'not UTF-8': [
    (path, text) => writeFileSync(path, Buffer.from(text.replace('"test"', '"t\xe9st"'), 'latin1')),
    /E_CONFIG_(SYNTAX|INVALID|READ)/,
    /UTF-8/,
  ],
  'an array': [(path) => writeFileSync(path, '[]'), /E_CONFIG_INVALID/, /object/],
  null: [(path) => writeFileSync(path, 'null'), /E_CONFIG_INVALID/, /object/],
  '10 MB of nothing': [(path) => writeFileSync(path, Buffer.alloc(10 << 20)), /E_CONFIG_/, /config\.json/],
  'deeply nested': [
    (path) => writeFileSync(path, `${'['.repeat(200_000)}${']'.repeat(200_000)}`),
    /E_CONFIG_/,
    /config\.json|object/,
  ],
  'deeply nested in a field': [
    (path, text) =>
      writeFileSync(
        path,
        text.replace('"hostname": "test"', `"hostname": ${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`),
      ),
    /E_CONFIG_/,
    /hostname|nested|deep/,
  ],
  'a folder': [(path) => mkdirSync(path), /E_CONFIG_/, /config\.json/],
  'a FIFO': [(path) => void spawnSync('mkfifo', [path]), /E_CONFIG_/, /config\.json/],
  'a device': [(path) => symlinkSync('/dev/zero', path), /E_CONFIG_/, /config\.json/],
  'a symlink to itself': [(path) => symlinkSync('config.json', path), /E_CONFIG_/, /config\.json/],
  missing: [() => {}, /E_CONFIG_MISSING/, /JSON specification file config\.json not found/],
};

/** Changes of a good config, and the one line about each. */
const BAD_VALUES: Record<string, [change: (spec: TestSpec) => void, msg: RegExp]> = {
  'no process': [(spec) => void delete (spec as Partial<TestSpec>).process, /process/],
  'no arguments': [(spec) => void spec.process.args.splice(0), /args must not be empty/],
  'a NUL in an argument': [(spec) => void spec.process.args.push('a\0b'), /process\.args\[\d\]/],
  'a NUL in the environment': [(spec) => void spec.process.env.push('A=\0'), /process\.env\[\d\]/],
  'a NUL in a path': [
    (spec) => void spec.mounts.push({ destination: '/a\0b', type: 'tmpfs' }),
    /mounts\[6\]\.destination/,
  ],
  'a string for a number': [
    (spec) => void Object.assign(spec.process, { user: { uid: '0', gid: 0 } }),
    /process\.user\.uid/,
  ],
  'a negative id': [
    (spec) => void Object.assign(spec.process, { user: { uid: -1, gid: 0 } }),
    /process\.user\.uid/,
  ],
  'an id of 2^32 - 1': [
    (spec) => void Object.assign(spec.process, { user: { uid: 0, gid: 4294967295 } }),
    /process\.user\.gid/,
  ],
  'a fraction': [
    (spec) => void Object.assign(spec.process, { user: { uid: 0, gid: 0, umask: 1.5 } }),
    /process\.user\.umask/,
  ],
  'mounts that are none': [(spec) => void Object.assign(spec, { mounts: {} }), /mounts/],
  'a mount without a destination': [
    (spec) => void spec.mounts.push({ type: 'tmpfs' } as never),
    /mounts\[6\].*destination/,
  ],
  'a mount without a type': [(spec) => void spec.mounts.push({ destination: '/x' }), /mounts\[6\]\.type/],
  'a bind without a source': [
    (spec) => void spec.mounts.push({ destination: '/x', options: ['bind'] }),
    /mounts\[6\]\.source/,
  ],
  'an unknown limit': [
    (spec) => void Object.assign(spec.process, { rlimits: [{ type: 'RLIMIT_FUN', soft: 1, hard: 1 }] }),
    /process\.rlimits\[0\]\.type/,
  ],
  'a soft limit above the hard one': [
    (spec) => void Object.assign(spec.process, { rlimits: [{ type: 'RLIMIT_CORE', soft: 2, hard: 1 }] }),
    /process\.rlimits\[0\]\.soft/,
  ],
  'a score out of range': [
    (spec) => void Object.assign(spec.process, { oomScoreAdj: 1001 }),
    /process\.oomScoreAdj/,
  ],
  'a propagation that there is not': [
    (spec) => void Object.assign(spec.linux, { rootfsPropagation: 'sideways' }),
    /linux\.rootfsPropagation/,
  ],
  'a device of no type': [
    (spec) =>
      void Object.assign(spec.linux, { devices: [{ path: '/dev/x', type: 'z', major: 1, minor: 1 }] }),
    /linux\.devices\[0\]\.type/,
  ],
  'a hook with a relative path': [
    (spec) => void Object.assign(spec, { hooks: { prestart: [{ path: 'x' }] } }),
    /hooks\.prestart\[0\]\.path/,
  ],
  'no mount namespace': [
    (spec) => void Object.assign(spec.linux, { namespaces: [], maskedPaths: [], readonlyPaths: [] }),
    /linux\.namespaces|hostname/,
  ],
  'a version from the future': [(spec) => void Object.assign(spec, { ociVersion: '9.0.0' }), /ociVersion/],
  'a version that is none': [(spec) => void Object.assign(spec, { ociVersion: 'new' }), /ociVersion/],
};

/** Failures of system calls in init: field, system call, errno, remedy. */
const FAILURES: Record<string, [change: (spec: TestSpec) => void, msg: RegExp]> = {
  'a working directory that is a file': [
    (spec) => {
      spec.process.cwd = '/etc/passwd';
    },
    /process\.cwd: openat2\(.*"etc\/passwd".*not a directory \(ENOTDIR\).*\(a component of the path is a file\)/i,
  ],
  'a file system of another kind': [
    (spec) => void spec.mounts.push({ destination: '/x', type: 'nosuchfs', source: 'x' }),
    /mounts\[6\]: mount\("x", "\.", "nosuchfs", .*\(ENODEV\).*does not know this type/i,
  ],
  'a sysctl that there is not': [
    (spec) => {
      spec.linux.sysctl = { 'net.no.such': '1' };
    },
    /linux\.sysctl\["net\.no\.such"\]: openat\(.*\(ENOENT\).*no such sysctl/i,
  ],
  'a namespace of another type': [
    (spec) => {
      spec.linux.namespaces.find(({ type }) => type === 'ipc')!.path = '/proc/self/ns/net';
    },
    /linux\.namespaces\[2\]\.path: setns\(.*CLONE_NEWIPC\): invalid argument \(EINVAL\).*another type/i,
  ],
};

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('a config.json that can’t be read', async (t) => {
    const s = session(t, runtime);
    const before = snapshot();
    for (const [name, [make, code, msg]] of Object.entries(BAD_CONFIGS)) {
      const bundle = tempBundle(t, { rootfs: 'shared' });
      const path = join(bundle.path, 'config.json');
      const text = readFileSync(path, 'utf8');
      spawnSync('rm', [path]);
      make(path, text);
      const result = s.call(['create', '--bundle', bundle.path, uniqueId()], {
        globals: JSON_LOG,
      });
      const failure = failureOf(result);
      assert.equal(failure.exit, 1, name);
      assert.match(failure.code, code, `${name}: ${failure.msg}`);
      assert.match(failure.msg, msg, name);
      assert.ok(failure.msg.length < 5000, `${name}: ${failure.msg.length} characters`);
    }
    await assertNothingLeft(before, [s.root]);
  });

  it('values that can’t be', async (t) => {
    const s = session(t, runtime);
    const before = snapshot();
    const bundle = tempBundle(t, { rootfs: 'shared' });
    const good = JSON.stringify(bundle.config);
    for (const [name, [change, msg]] of Object.entries(BAD_VALUES)) {
      bundle.config = JSON.parse(good) as TestSpec;
      change(bundle.config);
      bundle.save();
      const failure = failureOf(s.run(bundle, { globals: JSON_LOG }));
      assert.deepEqual([failure.exit, failure.code], [1, 'E_CONFIG_INVALID'], `${name}: ${failure.msg}`);
      assert.match(failure.msg, msg, name);
    }
    await assertNothingLeft(before, [s.root]);
  });

  it('every violation of a config is told at once', (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, { rootfs: 'shared' });
    Object.assign(bundle.config.process, { cwd: 'relative', oomScoreAdj: 5000 });
    Object.assign(bundle.config.linux, { rootfsPropagation: 'sideways' });
    bundle.save();
    const { msg } = failureOf(s.run(bundle, { globals: JSON_LOG }));
    for (const field of ['process.cwd', 'process.oomScoreAdj', 'linux.rootfsPropagation'])
      assert.ok(msg.includes(field), msg);
  });

  it('what fails in init: one line with field, system call, errno and remedy', async (t) => {
    const s = session(t, runtime);
    const before = snapshot();
    for (const [name, [config, msg]] of Object.entries(FAILURES)) {
      const bundle = scriptBundle(t, 'echo ran', { config });
      const result = s.run(bundle, { globals: JSON_LOG });
      const failure = failureOf(result);
      assert.deepEqual([failure.exit, failure.code, result.stdout], [1, 'E_INIT', ''], name);
      assert.match(failure.msg, msg, name);
      await assertNothingLeft(before, [s.root]);
    }
  });

  it('rights that the runtime lacks itself', (t) => {
    const own = capabilitySets(readFileSync('/proc/self/status', 'utf8')).prm;
    if ((own & (1n << 24n)) !== 0n) return t.skip('this host gives CAP_SYS_RESOURCE');
    const s = session(t, runtime);
    const fail = (config: (spec: TestSpec) => void): string =>
      failureOf(s.run(scriptBundle(t, 'true', { config }), { globals: JSON_LOG })).msg;
    const all = ['CAP_CHOWN', 'CAP_SYS_RESOURCE'];
    assert.match(
      fail((spec) => {
        spec.process.capabilities = { bounding: all, permitted: all, effective: all };
      }),
      /process\.capabilities: capset\(.*\(EPERM\).*the runtime itself lacks one of these capabilities/i,
    );
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const hard = /^Max open files +\d+ +(\d+)/m.exec(limits)?.[1];
    if (hard === undefined) return;
    assert.match(
      fail((spec) => {
        spec.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 1, hard: Number(hard) + 1 }];
      }),
      /process\.rlimits\[0\]: prlimit64\(.*\(EPERM\).*CAP_SYS_RESOURCE/i,
    );
  });

  it('more files than the kernel gives anyone, in the container’s user namespace and without', (t) => {
    const s = session(t, runtime);
    const hard = Number(readFileSync('/proc/sys/fs/nr_open', 'utf8')) + 1;
    const ids = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    for (const user of [false, true]) {
      const bundle = scriptBundle(t, 'true', {
        config: (spec) => {
          spec.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 1, hard }];
          if (!user) return;
          spec.linux.namespaces!.push({ type: 'user' });
          Object.assign(spec.linux, { uidMappings: ids, gidMappings: ids });
        },
      });
      const { msg } = failureOf(s.run(bundle, { globals: JSON_LOG }));
      assert.match(msg, /process\.rlimits\[0\]: .*\(EPERM\).*fs\/nr_open/i);
    }
  });

  it('a --root that can’t be written', (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, { rootfs: 'shared' });
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, 'file'), '');
    mkdirSync(join(folder, 'readonly'));
    assert.equal(
      spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', join(folder, 'readonly')]).status,
      0,
    );
    for (const [root, msg] of [
      [join(folder, 'file'), /not a directory/i],
      [join(folder, 'file/below'), /not a directory/i],
      [join(folder, 'readonly'), /read-only file system/i],
      [join(folder, 'readonly/below'), /read-only file system/i],
      ['/proc/no/such', /no such file or directory/i],
      ['/', /should not be set to \//],
      ['', /--root/],
    ] as const) {
      const failure = failureOf(
        s.call(['create', '--bundle', bundle.path, uniqueId()], { globals: ['--root', root, ...JSON_LOG] }),
      );
      assert.equal(failure.exit, 1, root);
      assert.match(failure.msg, msg, root);
    }
    assert.equal(spawnSync('umount', [join(folder, 'readonly')]).status, 0);
  });

  it('a full disk for the state', async (t) => {
    const folder = join(temporaryFolder(t), 'full');
    mkdirSync(folder);
    assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', folder]).status, 0);
    spawnSync('dd', ['if=/dev/zero', `of=${folder}/filler`, 'bs=4k', 'count=8']);
    const s = session(t, runtime);
    const before = snapshot();
    const bundle = tempBundle(t, { args: ['sleep', '60'], rootfs: 'shared' });
    for (const command of ['create', 'run']) {
      const id = uniqueId('full');
      const failure = failureOf(
        s.call([command, '--bundle', bundle.path, id], { globals: ['--root', folder, ...JSON_LOG] }),
      );
      assert.deepEqual([failure.exit, failure.code], [1, 'E_ROOT']);
      assert.match(failure.msg, /no space left on device.*make room/i);
      assert.deepEqual(readdirSync(folder), ['filler']);
      await assertNothingLeft(before);
    }
    assert.equal(spawnSync('umount', [folder]).status, 0);
  });

  it('a disk that is full when the container starts: it runs, and is known to', async (t) => {
    const folder = join(temporaryFolder(t), 'small');
    mkdirSync(folder);
    assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]).status, 0);
    const s = session(t, runtime);
    const bundle = tempBundle(t, { args: ['sleep', '60'], rootfs: 'shared' });
    const id = uniqueId('small');
    const globals = ['--root', folder];
    const create = s.spawn(['create', '--bundle', bundle.path, id], { globals });
    assert.deepEqual(await once(create, 'exit'), [0, null]);
    spawnSync('dd', ['if=/dev/zero', `of=${folder}/filler`, 'bs=4k', 'count=20']);
    const start = s.call(['start', id], { globals });
    assert.equal(start.code, 0);
    assert.match(start.stderr, /level=warning.*cannot write the state.*no space left on device/);
    const { status } = JSON.parse(s.ok(['state', id], { globals })) as { status: string };
    assert.equal(status, 'running');
    assert.match(s.call(['delete', id], { globals }).stderr, /not stopped: running/);
    s.ok(['delete', '--force', id], { globals });
    assert.equal(spawnSync('umount', [folder]).status, 0);
  });

  it('bundles with strange paths', (t) => {
    const s = session(t, runtime);
    const base = temporaryFolder(t);
    const rootfs = tempBundle(t).rootfs;
    const make = (path: string): string => {
      assert.equal(spawnSync('mkdir', ['-p', path]).status, 0);
      const { config } = tempBundle(t, { args: ['echo', 'ran'], rootfs: { path: rootfs } });
      writeFileSync(join(path, 'config.json'), JSON.stringify(config));
      return path;
    };
    const long = `${'deeper/'.repeat(500)}bundle`;
    const names = ['with space', 'new\nline', 'ünï😀', '-b', '%s', '$(id)', "it's", 'a/../b'];
    for (const name of names) {
      const path = make(`${base}/${name}`);
      const { code, stdout, stderr } = s.call(['run', '--bundle', path, uniqueId()]);
      assert.deepEqual([code, stdout, stderr], [0, 'ran\n', ''], name);
    }
    const ran = s.call(['run', '--bundle', make(`${base}/${long}`), uniqueId()], { globals: JSON_LOG });
    if (ran.code !== 0) failureOf(ran);
    // Node looks at the path component by component, and the first is not there.
    for (const path of [`/${'x/'.repeat(3000)}`, `/${'x'.repeat(3000)}`]) {
      const { msg } = failureOf(s.call(['run', '--bundle', path, uniqueId()], { globals: JSON_LOG }));
      assert.match(msg.slice(-200), /name too long|no such file or directory/i);
    }
    spawnSync('rm', ['-rf', base]);
  });

  it('an image whose passwd or group is a trap', (t) => {
    const s = session(t, runtime);
    for (const name of ['passwd', 'group']) {
      for (const trap of [
        'mkfifo "$1"',
        'ln -s /dev/zero "$1"',
        'ln -s "$1" "$1"',
        'mkdir "$1"',
        'ln -s /proc/self/mem "$1"',
      ]) {
        const bundle: Bundle = scriptBundle(t, 'echo "$HOME"', {
          own: (rootfs) => {
            const path = join(rootfs, 'etc', name);
            spawnSync('rm', [path]);
            spawnSync('sh', ['-c', trap, 'sh', path]);
          },
          config: (spec) => {
            spec.process.env = ['PATH=/bin'];
          },
        });
        const { code, stdout } = s.run(bundle);
        assert.deepEqual([code, stdout], [0, name === 'passwd' ? '/\n' : '/root\n'], `${name}: ${trap}`);
      }
    }
  });

  it('--log takes the line, standard error the bare message', (t) => {
    const s = session(t, runtime);
    const log = join(temporaryFolder(t), 'log.json');
    const bundle = tempBundle(t, { args: ['no-such'], rootfs: 'shared' });
    const { code, stderr } = s.run(bundle, { globals: ['--log', log, ...JSON_LOG] });
    const line = failureOf({ code, stdout: '', stderr: readFileSync(log, 'utf8') });
    assert.equal(line.code, 'E_EXEC');
    assert.equal(stderr, `${line.msg}\n`);
    const text = join(temporaryFolder(t), 'log');
    s.run(bundle, { globals: ['--log', text] });
    assert.match(readFileSync(text, 'utf8'), /^time="[^"]+" level=error msg="unable to start [^\n]*"\n$/);
    const bad = s.run(bundle, { globals: ['--log', '/no/such/log', ...JSON_LOG] });
    assert.equal(bad.code, 1);
    assert.match(bad.stderr, /\/no\/such\/log.*no such file or directory/i);
  });
}
