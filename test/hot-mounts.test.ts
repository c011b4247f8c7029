/** Mounts that come and go while the container is there: `mounts add`, `mounts remove`. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { O } from '../ffi/constants/file.ts';
import { syscall } from '../ffi/local.ts';
import type { Mount } from '../src/spec/types.ts';
import {
  privateWorld,
  type Result,
  type Runtime,
  runtimes,
  type Session,
  session,
  type TestSpec,
  temporaryFolder,
} from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { printing, type Sections, scriptBundle, sectionsOf, testsOf } from './support/inside.ts';
import { mountAt, parseMountinfo } from './support/status.ts';

const { skip } = privateWorld();

interface Box {
  s: Session;
  id: string;
  rootfs: string;
  mounts(action: 'add' | 'remove', mounts: unknown): Result;
  /** Likewise, and it must succeed. */
  change(action: 'add' | 'remove', ...mounts: Partial<Mount>[]): void;
  look(commands: Record<string, string>): Sections;
}

const inUserNamespace = (spec: TestSpec): void => {
  const map = [{ containerID: 0, hostID: 100_000, size: 65536 }];
  spec.linux.namespaces.push({ type: 'user' });
  spec.linux.uidMappings = map;
  spec.linux.gidMappings = map;
};

/** A container that is there. */
function box(
  t: TestContext,
  runtime: Runtime,
  { user = false, started = true, own = (_: string): void => {} } = {},
): Box {
  const s = session(t, runtime);
  const bundle = scriptBundle(t, 'exec sleep 1000', {
    config: (spec) => {
      if (user) inUserNamespace(spec);
    },
    own: (rootfs) => {
      chmodSync(join(rootfs, '../..'), 0o755);
      if (user) chownSync(rootfs, 100_000, 100_000);
      own(rootfs);
    },
  });
  const { id, code, stderr } = started ? s.detach(bundle) : s.create(bundle);
  assert.deepEqual([code, stderr], [0, '']);
  const mounts: Box['mounts'] = (action, value) =>
    s.call(['mounts', action, id, '-'], { input: JSON.stringify(value), globals: JSON_LOG });
  return {
    s,
    id,
    rootfs: bundle.rootfs,
    mounts,
    change: (action, ...list) => {
      const { code, stdout, stderr } = mounts(action, list);
      assert.deepEqual([code, stdout, stderr], [0, '', '']);
    },
    look: (commands) => sectionsOf(s.ok(['exec', id, 'sh', '-c', printing(commands)])),
  };
}

/** A folder of the host with a file. */
function folderOf(t: TestContext, text: string): string {
  const folder = temporaryFolder(t);
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, 'file'), text);
  return folder;
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  for (const user of [false, true]) {
    it(`added and removed again${user ? ', in a user namespace' : ''}`, (t) => {
      const source = folderOf(t, 'hello\n');
      const b = box(t, runtime, { user, own: (rootfs) => symlinkSync('real', join(rootfs, 'link')) });
      const list: Mount[] = [
        { destination: '/data', source, options: ['rbind', 'ro', 'noexec'] },
        { destination: '/one/file', source: join(source, 'file'), options: ['bind'] },
        { destination: '/scratch', type: 'tmpfs', source: 'tmpfs', options: ['size=64k', 'nosuid'] },
        { destination: '/scratch/below', type: 'tmpfs', source: 'tmpfs' },
      ];
      b.change('add', ...list);
      const seen = b.look({
        text: 'cat /data/file /one/file',
        write: 'echo x > /data/file',
        scratch: 'echo x > /scratch/below/x && cat /scratch/below/x',
        mounts: 'cat /proc/self/mountinfo',
        processes: 'ls -d /proc/[0-9]* | wc -l',
      });
      assert.equal(seen.text, 'hello\nhello');
      assert.match(seen.write!, /Read-only file system/);
      assert.equal(seen.scratch, 'x');
      const mounts = parseMountinfo(seen.mounts!);
      assert.deepEqual(mountAt(mounts, '/data').options.slice(0, 2), ['ro', 'noexec']);
      assert.ok(mountAt(mounts, '/scratch').options.includes('nosuid'));
      b.change('remove', ...list.map(({ destination }) => ({ destination })));
      const after = b.look({
        left: "grep -cE ' /(data|one/file|scratch)' /proc/self/mountinfo",
        gone: 'ls /data',
      });
      assert.deepEqual(after, { left: '0', gone: '' });
    });
  }

  it('into a container that is created, and into one that is paused', (t) => {
    const source = folderOf(t, 'hello\n');
    const b = box(t, runtime, { started: false });
    b.change('add', { destination: '/before', source, options: ['bind'] });
    b.s.ok(['start', b.id]);
    b.s.ok(['pause', b.id]);
    b.change('add', { destination: '/meanwhile', source, options: ['bind'] });
    b.s.ok(['resume', b.id]);
    assert.equal(b.look({ text: 'cat /before/file /meanwhile/file' }).text, 'hello\nhello');
  });

  it('all that create can: id maps, tmpcopyup, symlinks, propagation, paths of the bundle', (t) => {
    const source = folderOf(t, 'hello\n');
    symlinkSync('nowhere', join(source, 'link'));
    const b = box(t, runtime, {
      own: (rootfs) => {
        mkdirSync(join(rootfs, 'full'));
        writeFileSync(join(rootfs, 'full/kept'), 'kept');
        mkdirSync(join(rootfs, '../beside'));
        writeFileSync(join(rootfs, '../beside/x'), '');
      },
    });
    const map = [{ containerID: 0, hostID: 5000, size: 10 }];
    b.change(
      'add',
      { destination: '/mapped', source, options: ['bind', 'idmap'], uidMappings: map, gidMappings: map },
      { destination: '/full', type: 'tmpfs', source: 'tmpfs', options: ['tmpcopyup'] },
      { destination: '/link', source: join(source, 'link'), options: ['bind', 'copy-symlink'] },
      { destination: '/shared', source, options: ['bind', 'shared'] },
      { destination: '/relative', source: 'beside', options: ['bind'] },
    );
    const seen = b.look({
      owner: 'stat -c %u /mapped/file',
      kept: 'cat /full/kept; grep -c " /full " /proc/self/mountinfo',
      link: 'readlink /link',
      shared: 'grep " /shared " /proc/self/mountinfo | grep -c shared:',
      relative: 'ls /relative',
    });
    assert.deepEqual(seen, { owner: '5000', kept: 'kept1', link: 'nowhere', shared: '1', relative: 'x' });
  });

  it('a mount that can’t be made takes those before it along', (t) => {
    const source = folderOf(t, 'hello\n');
    const b = box(t, runtime);
    const before = b.look({ mounts: 'cat /proc/self/mountinfo' });
    const good = (destination: string): Mount => ({ destination, source, options: ['bind'] });
    const cases: [Partial<Mount>, RegExp][] = [
      [
        { destination: '/x', source: '/missing', options: ['bind'] },
        /mounts\[2\]\.source: open_tree\(.*ENOENT/,
      ],
      [{ destination: '/x', type: 'tmpfs', options: ['size=much'] }, /mounts\[2\]: .*size=much.*refused/],
      [{ destination: '/x', type: 'nosuchfs', source: 'x' }, /mounts\[2\]: .*ENODEV/],
      [{ destination: '/bin/sh', source, options: ['bind'] }, /mounts\[2\]: .*a folder can only be mounted/],
      [{ destination: '/', source, options: ['bind'] }, /mounts\[2\]\.destination: the root of a container/],
      [{ destination: '/x', type: 'proc', source: 'proc' }, /mounts\[2\]\.type: a new proc would show/],
      [{ destination: '/proc/sys', source, options: ['bind'] }, /mounts\[2\]\.destination: .*inside \/proc/],
      [
        { destination: '/x', source, options: ['bind', 'nosiud'] },
        /mounts\[2\]\.options: bind mounts cannot/,
      ],
      [{ source, options: ['bind'] }, /mounts file is invalid: mounts\[2\]\.destination: expected/],
    ];
    for (const [mount, message] of cases) {
      const { exit, msg } = failureOf(b.mounts('add', [good('/a'), good('/b'), mount]));
      assert.equal(exit, 1);
      assert.match(msg, message);
      assert.deepEqual(b.look({ mounts: 'cat /proc/self/mountinfo' }), before, String(message));
    }
  });

  it('the mounts come from a pipe that does not block', async (t) => {
    const source = folderOf(t, 'hello\n');
    const { s, id, look } = box(t, runtime);
    const pair = new Int32Array(2);
    syscall('pipe2', [pair, O.CLOEXEC | O.NONBLOCK]);
    const [ours, theirs] = [pair[1]!, pair[0]!];
    const [file, ...first] = runtime.command;
    const child = spawn(file!, [...first, '--root', s.root, 'mounts', 'add', id, '-'], {
      stdio: [theirs, 'inherit', 'inherit'],
    });
    closeSync(theirs);
    // It has begun to read by then, or reads it all at once: right either way.
    await setTimeout(300);
    writeSync(ours, JSON.stringify([{ destination: '/data', source, options: ['bind'] }]));
    closeSync(ours);
    assert.deepEqual(await once(child, 'exit'), [0, null]);
    assert.equal(look({ text: 'cat /data/file' }).text, 'hello');
  });

  it('what is no mount can’t be removed, and then nothing is', (t) => {
    const source = folderOf(t, 'hello\n');
    const b = box(t, runtime);
    b.change('add', { destination: '/data', source, options: ['bind'] });
    const cases: [string, RegExp][] = [
      ['/bin', /^cannot change the container’s mounts: mounts\[1\]\.destination: nothing is mounted there/],
      ['/missing', /mounts\[1\]\.destination: openat2\(.*ENOENT\) \(nothing is mounted there/],
      ['/', /mounts\[1\]\.destination: "\/" can’t be removed/],
      ['/proc', /mounts\[1\]\.destination: "\/proc" can’t be removed/],
      ['/sys/firmware', /mounts\[1\]\.destination: "\/sys\/firmware" can’t be removed/],
    ];
    for (const [destination, message] of cases) {
      assert.match(failureOf(b.mounts('remove', [{ destination: '/data' }, { destination }])).msg, message);
      assert.equal(b.look({ text: 'cat /data/file' }).text, 'hello');
    }
  });

  it('an image’s symlinks lead to nothing of the host', (t) => {
    const outside = temporaryFolder(t);
    const source = folderOf(t, 'hello\n');
    const b = box(t, runtime, {
      own: (rootfs) => {
        symlinkSync(outside, join(rootfs, 'out'));
        mkdirSync(join(rootfs, outside), { recursive: true });
        symlinkSync('/proc', join(rootfs, 'kernel'));
      },
    });
    b.change('add', { destination: '/out/new', source, options: ['bind'] });
    assert.deepEqual(readdirSync(outside), []);
    assert.equal(b.look({ text: `cat ${outside}/new/file` }).text, 'hello');
    b.change('remove', { destination: '/out/new' });
    const { msg } = failureOf(b.mounts('add', [{ destination: '/kernel/1/cwd', source, options: ['bind'] }]));
    assert.match(msg, /mounts\[0\]: .*(leads into \/proc|ELOOP)/);
  });

  it('containers and files that are not as they must be', async (t) => {
    const b = box(t, runtime);
    const mounts = [{ destination: '/x', type: 'tmpfs', source: 'x' }];
    const call = (args: string[], input = JSON.stringify(mounts)): string =>
      failureOf(b.s.call(['mounts', ...args], { input, globals: JSON_LOG })).msg;
    assert.match(call(['add', 'unknown', '-']), /container does not exist: unknown/);
    assert.match(call(['list', b.id, '-']), /expected add or remove, found "list"/);
    assert.match(call(['add', b.id, '/missing']), /mounts file not found: "\/missing"/);
    assert.match(call(['add', b.id, '-'], '{'), /mounts file/);
    assert.match(call(['add', b.id, '-'], '"x"'), /mounts: expected an array/);
    assert.match(
      call(['add', b.id, '-'], '{"mounts": [{"destination": 5}]}'),
      /mounts\[0\]\.destination: expected/,
    );
    assert.equal(b.s.call(['mounts', 'add', b.id, '-'], { input: '[]' }).code, 0);
    b.s.ok(['kill', b.id, 'KILL']);
    await b.s.waitFor(b.id, 'stopped');
    assert.match(call(['add', b.id, '-']), /container not running/);

    const hosts = scriptBundle(t, 'exec sleep 1000', {
      own: () => {},
      config: (spec) => {
        spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'mount');
        spec.mounts = [];
        spec.linux.maskedPaths = [];
        spec.linux.readonlyPaths = [];
      },
    });
    const created = b.s.create(hosts);
    assert.equal(created.code, 0, created.stderr);
    assert.match(
      call(['add', created.id, '-']),
      new RegExp(`the mounts of container ${created.id} are the host’s`),
    );
    assert.equal(existsSync('/x'), false);
  });
}
