/** Against a folder that looks like resctrl: what the kernel would make by itself, the tests do. */

import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { runtsError } from '../spec/testing.ts';
import type { LinuxIntelRdt } from '../spec/types.ts';
import { applyResctrl, joinResctrl, removeResctrl, resctrlRoot, resctrlState } from './resctrl.ts';

function fakeRoot(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'runts-resctrl-'));
  t.after(() => rmSync(root, { recursive: true }));
  mkdirSync(`${root}/info`);
  mkdirSync(`${root}/mon_groups`);
  writeFileSync(`${root}/info/last_cmd_status`, 'ok\n');
  writeFileSync(`${root}/schemata`, 'MB:0=100\nL3:0=fffff\n');
  return root;
}

function makeClass(root: string, name: string, schemata: string): void {
  mkdirSync(`${root}/${name}/mon_groups`, { recursive: true });
  writeFileSync(`${root}/${name}/schemata`, schemata);
}

function apply(root: string, rdt: LinuxIntelRdt, pid = 42): ReturnType<typeof resctrlState> {
  const state = resctrlState(root, 'box', rdt);
  applyResctrl(state, rdt, pid);
  return state;
}

const read = (path: string): string => readFileSync(path, 'utf8');
const removeTree = (path: string): void => rmSync(path, { recursive: true });

test('the mount point is the one in mountinfo', () => {
  const line = '26 23 0:24 / /sys/fs/resctrl rw,relatime shared:7 - resctrl resctrl rw';
  assert.equal(resctrlRoot(`1 0 0:1 / / rw - ext4 /dev/x rw\n${line}\n`), '/sys/fs/resctrl');
  assert.match(
    runtsError(() => resctrlRoot('')).message,
    /^linux\.intelRdt: no resctrl file system is mounted/,
  );
});

test('without closID: a class of the container’s own, named after it and removed with it', (t) => {
  const root = fakeRoot(t);
  const state = apply(root, { l3CacheSchema: 'L3:0=7f0', memBwSchema: 'MB:0=20' });
  assert.deepEqual(state, { root, group: `${root}/box`, monitor: undefined, own: true });
  assert.equal(read(`${root}/box/schemata`), 'L3:0=7f0\nMB:0=20\n');
  assert.equal(read(`${root}/box/tasks`), '42');
  joinResctrl(state, 43);
  assert.equal(read(`${root}/box/tasks`), '43');
  removeResctrl(state, removeTree);
  assert.ok(!existsSync(`${root}/box`));
  removeResctrl(state, removeTree);
});

test('lines for bandwidth in l3CacheSchema don’t count', (t) => {
  const root = fakeRoot(t);
  apply(root, { l3CacheSchema: 'L3:0=f\nMB:0=70\nL3CODE:0=3', memBwSchema: 'MB:0=20' });
  assert.equal(read(`${root}/box/schemata`), 'L3:0=f\nL3CODE:0=3\nMB:0=20\n');
});

test('without any schema no schemata file is written', (t) => {
  const root = fakeRoot(t);
  apply(root, {});
  assert.deepEqual(readdirSync(`${root}/box`), ['tasks']);
});

test('schemata is written last', (t) => {
  const root = fakeRoot(t);
  apply(root, { l3CacheSchema: 'L3:0=f', schemata: ['L2:0=3', 'MB:0=50'] });
  assert.equal(read(`${root}/box/schemata`), 'L2:0=3\nMB:0=50\n');
});

test('a class by name without schemas must be there, and stays', (t) => {
  const root = fakeRoot(t);
  const missing = runtsError(() => apply(root, { closID: 'gold' }));
  assert.match(missing.message, /^linux\.intelRdt\.closID: clos dir not accessible \(must be pre-created/);
  assert.ok(!existsSync(`${root}/gold`));
  makeClass(root, 'gold', 'L3:0=ff\n');
  const state = apply(root, { closID: 'gold' });
  assert.equal(read(`${root}/gold/tasks`), '42');
  removeResctrl(state, removeTree);
  assert.ok(existsSync(`${root}/gold`));
});

test('a class by name that is missing is made with its schemas', (t) => {
  const root = fakeRoot(t);
  const state = apply(root, { closID: 'gold', l3CacheSchema: 'L3:0=f' });
  assert.equal(read(`${root}/gold/schemata`), 'L3:0=f\n');
  removeResctrl(state, removeTree);
  assert.ok(existsSync(`${root}/gold`), 'others may be in it by now');
});

test('a class by name that is there must be as the config says', (t) => {
  const root = fakeRoot(t);
  makeClass(root, 'gold', '    L3:0=0ff;1=FF\n    MB:0=100;1=100\n');
  apply(root, { closID: 'gold', l3CacheSchema: 'L3:1=ff;0=ff', memBwSchema: 'MB:0=100' });
  assert.match(read(`${root}/gold/schemata`), /^ {4}L3/, 'it is not written');
  const other = runtsError(() => apply(root, { closID: 'gold', l3CacheSchema: 'L3:0=f' }));
  assert.match(other.message, /^linux\.intelRdt\.l3CacheSchema: "L3:0=f" is not what .*gold\/schemata has/);
  const bandwidth = runtsError(() => apply(root, { closID: 'gold', memBwSchema: 'MB:1=50' }));
  assert.equal(bandwidth.details.field, 'linux.intelRdt.memBwSchema');
  assert.ok(runtsError(() => apply(root, { closID: 'gold', l3CacheSchema: 'L3CODE:0=f' })));
});

test('"/" is the default class', (t) => {
  const root = fakeRoot(t);
  const state = apply(root, { closID: '/', enableMonitoring: true });
  assert.equal(state.group, root);
  assert.equal(read(`${root}/tasks`), '42');
  assert.equal(read(`${root}/mon_groups/box/tasks`), '42');
  removeResctrl(state, removeTree);
  assert.ok(existsSync(`${root}/schemata`));
  assert.ok(!existsSync(`${root}/mon_groups/box`));
});

test('monitoring: a group of its own, in the container’s class, whoever’s that is', (t) => {
  const root = fakeRoot(t);
  makeClass(root, 'gold', 'L3:0=ff\n');
  const state = apply(root, { closID: 'gold', enableMonitoring: true });
  assert.equal(read(`${root}/gold/mon_groups/box/tasks`), '42');
  joinResctrl(state, 43);
  assert.equal(read(`${root}/gold/mon_groups/box/tasks`), '43');
  removeResctrl(state, removeTree);
  assert.deepEqual(readdirSync(`${root}/gold/mon_groups`), []);
});

test('a refusal of the kernel is told with its reason', (t) => {
  const root = fakeRoot(t);
  writeFileSync(`${root}/info/last_cmd_status`, 'Mask out of range\n');
  mkdirSync(`${root}/box/schemata`, { recursive: true });
  const error = runtsError(() => apply(root, { schemata: ['L3:0=ffffffff'] }));
  assert.match(
    error.message,
    /^linux\.intelRdt\.schemata: write .*\/box\/schemata: EISDIR: Mask out of range$/,
  );
});
