import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { readStat } from '../linux/procfs.ts';
import { waitUntil } from '../linux/wait.ts';
import { sleeper } from './fixture.ts';
import { identify, isAlive } from './process.ts';

test('a running process is alive, and not with another start time', async (t) => {
  const { identity, child, ended } = await sleeper(t);
  assert.equal(isAlive(identity), true);
  assert.equal(isAlive({ ...identity, startTime: identity.startTime + 1 }), false, 'a reused pid');
  child.kill('SIGKILL');
  await ended;
  assert.equal(isAlive(identity), false);
});

test('a stopped process is alive', async (t) => {
  const { identity, child } = await sleeper(t);
  child.kill('SIGSTOP');
  assert.ok(waitUntil(() => readStat(identity.pid)?.state === 'T', 2000));
  assert.equal(isAlive(identity), true);
});

test('a zombie is not alive', async (t) => {
  // The shell starts a child, tells its pid, and has become `sleep`, which reaps nothing, when the child ends.
  const shell = spawn('sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.after(() => shell.kill('SIGKILL'));
  const [line] = (await once(shell.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  assert.ok(
    waitUntil(() => readStat(pid)?.state === 'Z', 2000),
    'it becomes a zombie',
  );
  const identity = identify(pid);
  assert.ok(identity);
  assert.equal(isAlive(identity), false);
});

test('no such process', () => {
  assert.equal(identify(4194305), undefined);
  assert.equal(isAlive({ pid: 4194305, startTime: 1 }), false);
});
