/**
 * What the runtime asks of the kernel, and what it doesn't: seen in the system calls of whole commands.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { POLL, poll } from '../ffi/descriptors.ts';
import {
  type Bundle,
  missing,
  privateWorld,
  type Runtime,
  runtimes,
  type Session,
  session,
  tempBundle,
  temporaryFolder,
  uniqueId,
} from './harness/index.ts';

const world = privateWorld({ cgroups: 'v2' });
const skip = world.skip || missing('strace');

/** How engines sleep for a while: what ends by itself, and nothing has happened. */
const SLEEP = /^(clock_)?nanosleep|^futex\(.*FUTEX_WAIT.*\{tv_n?sec|= 0 \(Timeout\)/;

/** A command under strace; its lines, pids included. */
function traced(t: TestContext, s: Session, args: readonly string[]): string[] {
  const file = join(temporaryFolder(t), 'trace');
  const argv = ['-f', '-s', '300', '-o', file, ...s.runtime.command, '--root', s.root, ...args];
  const { status, stderr } = spawnSync('strace', argv, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return readFileSync(file, 'utf8').split('\n');
}

/** Lines of the runtime's own main thread, from where it first looks at its state or the bundle. */
function ownLines(lines: readonly string[], s: Session, bundle?: Bundle): string[] {
  const main = `${Number.parseInt(lines[0] ?? '', 10)} `;
  const own = lines.filter((line) => line.startsWith(main)).slice(1);
  const first = own.findIndex(
    (line) => line.includes(s.root) || (bundle !== undefined && line.includes(bundle.path)),
  );
  return own.slice(first).map((line) => line.slice(main.length).trim());
}

function matching(lines: readonly string[], pattern: RegExp): string[] {
  return lines.filter((line) => pattern.test(line));
}

function testRuntime(runtime: Runtime): void {
  test(`${runtime.name}: a container is born in its cgroup, and nobody is moved`, { skip }, (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, { args: ['true'], rootfs: 'shared' });
    const lines = traced(t, s, ['run', '--bundle', bundle.path, uniqueId()]);
    assert.equal(matching(lines, /clone3\(.*CLONE_INTO_CGROUP.*cgroup=/).length, 1);
    assert.deepEqual(matching(lines, /cgroup\.procs|cgroup\.threads/), []);
  });

  test(`${runtime.name}: nothing is synchronised to a disk, and no sysctl is written unasked`, {
    skip,
  }, (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, { args: ['true'], rootfs: 'shared' });
    const lines = traced(t, s, ['run', '--bundle', bundle.path, uniqueId()]);
    // Node flushes its own standard output and error as it ends.
    assert.deepEqual(
      matching(lines, /\b(fdatasync|sync|syncfs|sync_file_range|msync|fsync)\((?![12]\))/),
      [],
    );
    assert.deepEqual(matching(lines, /open.*proc\/sys\/.*O_(WRONLY|RDWR)/), []);
  });

  test(`${runtime.name}: mounts are made in the container's namespace alone`, { skip }, (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, { args: ['sleep', '100000'], rootfs: 'shared' });
    const short = tempBundle(t, { args: ['true'], rootfs: 'shared' });
    const id = uniqueId();
    // Polling tells of every change of this namespace since the last look: systemd and others would wake up for each.
    const mounts = openSync('/proc/self/mountinfo', 'r');
    const changed = (): boolean => (poll([{ fd: mounts, events: POLL.PRI }], 0)[0]! & POLL.PRI) !== 0;
    try {
      changed();
      assert.equal(changed(), false);
      assert.equal(s.create(bundle, { id }).code, 0);
      s.ok(['start', id]);
      s.ok(['exec', id, 'true']);
      s.ok(['delete', '--force', id]);
      assert.equal(changed(), false, 'the host would have noticed');
    } finally {
      closeSync(mounts);
    }
    const lines = traced(t, s, ['run', '--bundle', short.path, uniqueId()]);
    const own = ownLines(lines, s, short);
    assert.deepEqual(matching(own, /^(mount|umount2?|move_mount|open_tree|fsmount|pivot_root)\(/), []);
  });

  test(`${runtime.name}: the end of a container is told by the kernel, not asked for again and again`, {
    skip,
  }, async (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, { args: ['sleep', '100000'], rootfs: 'shared' });
    const id = uniqueId();
    assert.equal(s.create(bundle, { id }).code, 0);
    s.ok(['start', id]);
    const killed = ownLines(traced(t, s, ['kill', id, 'KILL']), s);
    await s.waitFor(id, 'stopped');
    s.ok(['delete', id]);

    const other = uniqueId();
    assert.equal(s.create(bundle, { id: other }).code, 0);
    s.ok(['start', other]);
    const deleted = ownLines(traced(t, s, ['delete', '--force', other]), s);
    for (const own of [killed, deleted]) {
      assert.deepEqual(matching(own, SLEEP), []);
      assert.ok(matching(own, /open.*\/proc\/\d+\/stat"/).length <= 4, own.join('\n'));
    }
  });

  test(`${runtime.name}: processes without a pid namespace are waited for through their cgroup`, {
    skip,
  }, async (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, {
      // Orphans of init, which outlive it.
      args: ['sh', '-c', 'for i in 1 2 3; do sleep 100000 & done; exec sleep 100000'],
      rootfs: 'shared',
      config: (spec) => {
        spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'pid');
      },
    });
    const id = uniqueId();
    assert.equal(s.create(bundle, { id }).code, 0);
    s.ok(['start', id]);
    const own = ownLines(traced(t, s, ['delete', '--force', id]), s);
    assert.deepEqual(matching(own, SLEEP), []);
    assert.notEqual(s.call(['state', id]).code, 0);
  });
}

for (const runtime of runtimes()) testRuntime(runtime);
