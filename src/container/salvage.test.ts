import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { truncateSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fakeState, putState, sleeper, temporaryDirectory } from './fixture.ts';
import { findFifoHolder, salvage, salvageText } from './salvage.ts';
import { type CgroupState, fifoPath, makeStateDirectory, statePath } from './state.ts';

const cgroup: CgroupState = { manager: 'cgroupfs', mountpoint: '/sys/fs/cgroup', path: '/pod "1"/c' };

test('init and cgroup are found in a state that is cut off, indented, or of another version', async (t) => {
  const { identity } = await sleeper(t);
  const state = fakeState('/r', 'c', { init: identity, cgroup });
  const text = JSON.stringify(state);
  const cut = text.slice(0, text.indexOf('"ociVersion"'));
  for (const variant of [text, cut, JSON.stringify(state, null, 2), text.replace(':1,', ':99,')]) {
    assert.deepEqual(salvageText(variant), { init: identity, cgroup });
  }
});

test('no half of a path and no process that only has the same pid', async (t) => {
  const { identity } = await sleeper(t);
  const state = fakeState('/r', 'c', { init: { ...identity, startTime: identity.startTime + 1 }, cgroup });
  const text = JSON.stringify(state);
  for (let end = 0; end < text.indexOf(',"ociVersion"') - 2; end++) {
    assert.deepEqual(salvageText(text.slice(0, end)), { init: null, cgroup: null });
  }
  assert.deepEqual(salvageText('\0\0'), { init: null, cgroup: null });
  assert.deepEqual(salvageText(text.replace('/pod', '\\q')).cgroup, null, 'a broken escape');
});

test('a cgroup that holds the runtime itself is never taken', (t) => {
  const root = temporaryDirectory(t);
  for (const path of ['/', '', '//', '/../x', 'x', '/a/../..']) {
    makeStateDirectory(root, 'c');
    const state = fakeState(root, 'c', { cgroup: { ...cgroup, path } });
    writeFileSync(
      statePath(root, 'c'),
      JSON.stringify(state).replace('"stateVersion":1', '"stateVersion":9'),
    );
    assert.equal(salvage(root, 'c').cgroup, null, path);
    spawnSync('rm', ['-r', `${root}/c`]);
  }
});

test('a process that waits on the start FIFO is found', async (t) => {
  const root = temporaryDirectory(t);
  putState(root, 'c');
  truncateSync(statePath(root, 'c'));
  assert.deepEqual(salvage(root, 'c'), { init: null, cgroup: null });
  const fifo = fifoPath(root, 'c');
  spawnSync('mkfifo', [fifo]);
  assert.equal(findFifoHolder(root, 'c'), null);
  // Open for both directions, so that the shell doesn't wait for a writer before it becomes sleep.
  const waiting = spawn('sh', ['-c', 'exec 5<>"$1"; echo; exec sleep 60', 'sh', fifo], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.after(() => waiting.kill('SIGKILL'));
  await once(waiting.stdout, 'data');
  assert.equal(salvage(root, 'c').init?.pid, waiting.pid);
});
