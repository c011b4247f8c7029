/**
 * Against the kernel's own cgroups: this file runs itself again in a private mount namespace with the v2 hierarchy
 * on a folder there, and works in a cgroup of its own.
 */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sleeper, temporaryDirectory } from '../container/fixture.ts';
import { isAlive } from '../container/process.ts';
import { killAndWait, signalAll, signalInit } from '../container/signal.ts';
import type { CgroupState } from '../container/state.ts';
import { createCgroup, undoCreate } from './create.ts';
import { cgroupMountpoint } from './facts.ts';
import { killCgroup, killEach } from './kill.ts';
import { isPopulated, processesIn } from './processes.ts';
import { removeCgroup } from './remove.ts';

const mountpoint = process.env.RUNTS_TEST_CGROUP2;
const here = fileURLToPath(import.meta.url);

if (mountpoint === undefined) {
  test('real cgroups', (t) => {
    const directory = temporaryDirectory(t);
    const inside = 'mount -t cgroup2 none "$1" || exit 99; exec "$2" --import tsx --test "$3"';
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      ['-m', 'sh', '-c', inside, 'sh', directory, process.execPath, here],
      { encoding: 'utf8', env: { ...env, RUNTS_TEST_CGROUP2: directory } },
    );
    if (status === 99 || status === null || /^unshare:/m.test(stderr)) {
      t.skip(`no private cgroup2 mount: ${stderr.trim()}`);
      return;
    }
    assert.equal(status, 0, stdout + stderr);
  });
} else {
  const base = `/runts-test-${process.pid}`;
  mkdirSync(mountpoint + base);
  process.on('exit', () => {
    killCgroup(mountpoint + base);
    removeCgroup(mountpoint + base);
  });
  let count = 0;
  const fresh = () => `${base}/${++count}`;

  const enter = (process: { pid?: number }, directory: string) =>
    writeFileSync(`${directory}/cgroup.procs`, String(process.pid));

  /** A container's cgroup with a process in it. */
  const occupied = async (t: TestContext) => {
    const path = fresh();
    const { directory } = createCgroup(mountpoint, path);
    const process = await sleeper(t);
    enter(process.child, directory);
    const cgroup: CgroupState = { manager: 'cgroupfs', mountpoint, path };
    return { ...process, directory, cgroup };
  };

  const freeze = async (directory: string) => {
    writeFileSync(`${directory}/cgroup.freeze`, '1');
    while (!/frozen 1/.test(readFileSync(`${directory}/cgroup.events`, 'utf8'))) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };

  test('the mount point is found by its type', () => {
    assert.equal(cgroupMountpoint(['/', mountpoint]), mountpoint);
  });

  test('create, take when empty, undo', () => {
    const path = fresh();
    const cgroup = createCgroup(mountpoint, `${path}/a`);
    assert.deepEqual(cgroup.made, [mountpoint + path, `${mountpoint + path}/a`]);
    assert.ok(existsSync(`${cgroup.directory}/cgroup.procs`));
    assert.deepEqual(createCgroup(mountpoint, `${path}/a`).made, []);
    undoCreate(cgroup);
    assert.equal(existsSync(mountpoint + path), false);
  });

  test('populated, also only below, is refused', async (t) => {
    const { directory, cgroup } = await occupied(t);
    assert.throws(() => createCgroup(mountpoint, cgroup.path), /not empty: 1 process\(es\) found/);
    const path = fresh();
    const sub = createCgroup(mountpoint, `${path}/sub`);
    const { child } = await sleeper(t);
    enter(child, sub.directory);
    assert.throws(() => createCgroup(mountpoint, path), /not empty: 1 process\(es\) found/);
    assert.deepEqual(processesIn(mountpoint + path), [child.pid]);
    assert.ok(isPopulated(directory));
  });

  test('frozen, also by a parent, is refused', () => {
    const path = fresh();
    createCgroup(mountpoint, path);
    writeFileSync(`${mountpoint}${path}/cgroup.freeze`, '1');
    assert.throws(() => createCgroup(mountpoint, path), /unexpectedly frozen/);
    assert.throws(() => createCgroup(mountpoint, `${path}/sub`), /unexpectedly frozen/);
    assert.equal(existsSync(`${mountpoint}${path}/sub`), false, 'a new one below is removed again');
    mkdirSync(`${mountpoint}${path}/sub`);
    assert.throws(() => createCgroup(mountpoint, `${path}/sub`), /unexpectedly frozen/);
    writeFileSync(`${mountpoint}${path}/cgroup.freeze`, '0');
    createCgroup(mountpoint, `${path}/sub`);
  });

  test('kill and remove, with children, and twice', async (t) => {
    const { directory, ended } = await occupied(t);
    mkdirSync(`${directory}/a/b`, { recursive: true });
    const { child, ended: endedBelow } = await sleeper(t);
    enter(child, `${directory}/a/b`);
    killCgroup(directory);
    removeCgroup(directory);
    assert.equal(existsSync(directory), false);
    assert.deepEqual(await Promise.all([ended, endedBelow]), ['SIGKILL', 'SIGKILL']);
    killCgroup(directory);
    removeCgroup(directory);
  });

  test('frozen processes die by either way', async (t) => {
    for (const kill of [killCgroup, killEach]) {
      const { directory, ended } = await occupied(t);
      await freeze(directory);
      kill(directory);
      removeCgroup(directory);
      assert.equal(await ended, 'SIGKILL');
    }
  });

  test('a cgroup in use is not removed', async (t) => {
    const { directory, identity } = await occupied(t);
    assert.throws(() => removeCgroup(directory, 50), new RegExp(`processes ${identity.pid} are still in it`));
    assert.ok(isAlive(identity));
  });

  test('SIGKILL for init goes to its whole cgroup, another signal to init alone', async (t) => {
    const { directory, cgroup, identity, ended } = await occupied(t);
    const { child, ended: otherEnded } = await sleeper(t);
    enter(child, directory);
    assert.equal(await signalInit({ init: identity, cgroup }, 10), true);
    assert.equal(await ended, 'SIGUSR1');
    assert.equal(child.signalCode, null);
    await signalAll({ init: identity, cgroup }, 12);
    assert.equal(await otherEnded, 'SIGUSR2');

    const second = await occupied(t);
    const beside = await sleeper(t);
    enter(beside.child, second.directory);
    assert.equal(await signalInit({ init: second.identity, cgroup: second.cgroup }, 9), true);
    assert.deepEqual(await Promise.all([second.ended, beside.ended]), ['SIGKILL', 'SIGKILL']);
  });

  test('what is left of a container dies, wherever its init went', async (t) => {
    const { cgroup, identity, ended, child } = await occupied(t);
    const elsewhere = createCgroup(mountpoint, fresh()).directory;
    enter(child, elsewhere);
    await killAndWait({ init: identity, cgroup });
    assert.equal(isAlive(identity), false);
    await ended;
    rmdirSync(elsewhere);
  });

  test('processes that fork while they are killed one by one', async (t) => {
    const path = fresh();
    const { directory } = createCgroup(mountpoint, path);
    const forking: ChildProcess = spawn(
      'sh',
      ['-c', 'read x; while :; do sh -c "sleep 5 & sleep 5" & sleep 0.01; done'],
      { stdio: ['pipe', 'ignore', 'ignore'] },
    );
    t.after(() => forking.kill('SIGKILL'));
    await once(forking, 'spawn');
    enter(forking, directory);
    forking.stdin?.write('\n');
    await new Promise((resolve) => setTimeout(resolve, 100));
    killEach(directory);
    removeCgroup(directory);
    assert.equal(existsSync(directory), false);
  });
}
