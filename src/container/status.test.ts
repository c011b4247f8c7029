import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fakeState, putState, sleeper, temporaryDirectory } from './fixture.ts';
import { identify, type ProcessIdentity } from './process.ts';
import { type CgroupState, fifoPath } from './state.ts';
import { ociState, stateOutput, statusOf } from './status.ts';

const DEAD: ProcessIdentity = { pid: process.pid, startTime: 1 };
const me = identify('self') as ProcessIdentity;

test('creating: as long as the creating runtime lives', (t) => {
  const root = temporaryDirectory(t);
  const creating = { phase: 'creating', creator: me } as const;
  assert.equal(statusOf(fakeState(root, 'c', creating)), 'creating');
  assert.equal(statusOf(fakeState(root, 'c', { ...creating, init: me })), 'creating');
  assert.equal(statusOf(fakeState(root, 'c', { ...creating, creator: DEAD, init: me })), 'stopped');
});

test('created with the FIFO, running without', (t) => {
  const root = temporaryDirectory(t);
  const created = putState(root, 'c', { phase: 'created', init: me });
  assert.equal(
    statusOf(created),
    'running',
    'start removed the FIFO and was killed before it wrote the state',
  );
  writeFileSync(fifoPath(root, 'c'), '');
  assert.equal(statusOf(created), 'created');
  assert.equal(statusOf({ ...created, phase: 'running' }), 'running');
});

test('stopped: init is gone, reused, or never was', async (t) => {
  const root = temporaryDirectory(t);
  const { identity, child, ended } = await sleeper(t);
  const state = fakeState(root, 'c', { init: identity });
  assert.equal(statusOf(state), 'running');
  child.kill('SIGKILL');
  await ended;
  assert.equal(statusOf(state), 'stopped');
  assert.equal(statusOf({ ...state, init: DEAD }), 'stopped');
  assert.equal(statusOf({ ...state, init: null }), 'stopped');
  assert.equal(statusOf({ ...state, init: DEAD, phase: 'created' }), 'stopped');
});

test('paused: the cgroup is frozen and init lives', (t) => {
  const root = temporaryDirectory(t);
  const cgroup: CgroupState = { manager: 'cgroupfs', mountpoint: `${root}/cg`, path: '/c' };
  const state = fakeState(root, 'c', { init: me, cgroup });
  assert.equal(statusOf(state), 'running', 'no such cgroup');
  mkdirSync(`${root}/cg/c`, { recursive: true });
  assert.equal(statusOf(state), 'running', 'no freezer');
  writeFileSync(`${root}/cg/c/cgroup.freeze`, '0\n');
  assert.equal(statusOf(state), 'running');
  writeFileSync(`${root}/cg/c/cgroup.freeze`, '1\n');
  assert.equal(statusOf(state), 'paused');
  assert.equal(statusOf({ ...state, init: DEAD }), 'stopped');
});

test('the state object of the specification', () => {
  const running = fakeState('/r', 'c', { init: me });
  assert.equal(
    JSON.stringify(ociState(running)),
    `{"ociVersion":"1.3.0","id":"c","status":"running","pid":${me.pid},"bundle":"/bundles/c"}`,
  );
  const { status, pid } = ociState({ ...running, phase: 'creating' }, 'creating');
  assert.deepEqual({ status, pid }, { status: 'creating', pid: me.pid });
  assert.equal(ociState({ ...running, init: DEAD }).pid, 0);
  assert.deepEqual(ociState({ ...running, annotations: { a: 'b' } }).annotations, { a: 'b' });
});

test("what is printed has runc's keys in runc's order", () => {
  const state = fakeState('/r', 'c', { init: me, annotations: { a: 'b' } });
  assert.deepEqual(Object.keys(stateOutput(state)), [
    'ociVersion',
    'id',
    'pid',
    'status',
    'bundle',
    'rootfs',
    'created',
    'annotations',
    'owner',
  ]);
  assert.equal(stateOutput(state).owner, '');
  assert.equal(stateOutput(state, 'root').owner, 'root');
  assert.equal('annotations' in stateOutput({ ...state, annotations: {} }), false);
  assert.equal(stateOutput({ ...state, init: null }).pid, 0);
});
