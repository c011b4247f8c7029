import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { sleeper, temporaryDirectory } from './fixture.ts';
import { identify } from './process.ts';
import { killAndWait, signalAll, signalInit, signalProcess } from './signal.ts';
import type { CgroupState } from './state.ts';

test('a signal reaches the process', async (t) => {
  const { identity, ended } = await sleeper(t);
  assert.equal(await signalProcess(identity, 0), true);
  assert.equal(await signalProcess(identity, 15), true);
  assert.equal(await ended, 'SIGTERM');
  assert.equal(await signalProcess(identity, 15), false, 'gone');
});

test('a process that only has the same pid gets nothing', async (t) => {
  const { identity, child } = await sleeper(t);
  const other = { ...identity, startTime: identity.startTime + 1 };
  assert.equal(await signalProcess(other, 9), false);
  assert.equal(await signalInit({ init: other, cgroup: null }, 9), false);
  await killAndWait({ init: other, cgroup: null });
  assert.equal(child.exitCode ?? child.signalCode, null);
  assert.equal(identify(identity.pid)?.startTime, identity.startTime);
});

test('a signal that the kernel does not know', async (t) => {
  const { identity } = await sleeper(t);
  await assert.rejects(signalProcess(identity, 999), /pidfd_send_signal\(.*EINVAL/);
});

test('init is signalled by itself when it is not in the cgroup', async (t) => {
  const root = temporaryDirectory(t);
  mkdirSync(`${root}/c`);
  const cgroup: CgroupState = { manager: 'cgroupfs', mountpoint: root, path: '/c' };
  const { identity, ended } = await sleeper(t);
  assert.equal(await signalInit({ init: identity, cgroup }, 9), true);
  assert.equal(await ended, 'SIGKILL');
});

test('killing waits for the death of init', async (t) => {
  const { identity, ended } = await sleeper(t);
  // The child stays a zombie until the event loop reaps it, which is dead enough.
  await killAndWait({ init: identity, cgroup: null });
  assert.equal(await ended, 'SIGKILL');
  await killAndWait({ init: null, cgroup: null });
});

test('all processes of the cgroup are signalled, in sub-cgroups too', async (t) => {
  const root = temporaryDirectory(t);
  const [one, two, other] = [await sleeper(t), await sleeper(t), await sleeper(t)];
  mkdirSync(`${root}/c/sub`, { recursive: true });
  writeFileSync(`${root}/c/cgroup.procs`, `${one.identity.pid}\n0\n`);
  writeFileSync(`${root}/c/sub/cgroup.procs`, `${two.identity.pid}\n4194305\n`);
  const cgroup: CgroupState = { manager: 'cgroupfs', mountpoint: root, path: '/c' };
  await signalAll({ init: null, cgroup }, 10);
  assert.deepEqual(await Promise.all([one.ended, two.ended]), ['SIGUSR1', 'SIGUSR1']);
  assert.equal(other.child.signalCode, null);
  await signalAll({ init: null, cgroup: { ...cgroup, path: '/gone' } }, 10);
});
