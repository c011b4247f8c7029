/** Changes of limits, on a folder of plain files that stands in for a cgroup. */

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../container/fixture.ts';
import type { CgroupState } from '../container/state.ts';
import { RuntsError } from '../errors.ts';
import type { LinuxResources } from '../spec/types.ts';
import { changeWrites, mergeResources, previousOf, updateCgroup } from './update.ts';

function fakeCgroup(
  t: TestContext,
  files: Record<string, string>,
): CgroupState & { read(file: string): string } {
  const mountpoint = temporaryDirectory(t);
  mkdirSync(`${mountpoint}/c`);
  for (const [name, text] of Object.entries(files)) writeFileSync(`${mountpoint}/c/${name}`, text);
  const read = (file: string): string => readFileSync(`${mountpoint}/c/${file}`, 'utf8').trim();
  return { manager: 'cgroupfs', mountpoint, path: '/c', read };
}

const texts = (change: LinuxResources, current: LinuxResources): string[] =>
  changeWrites(change, current).map(({ file, value }) => `${file}=${value}`);

test('only what changes is written', () => {
  const current: LinuxResources = { memory: { limit: 5, swap: 9 }, pids: { limit: 3 }, cpu: { shares: 2 } };
  assert.deepEqual(texts({ pids: { limit: 4 } }, current), ['pids.max=4']);
  assert.deepEqual(texts({ memory: { limit: 6 } }, current), ['memory.max=6']);
  assert.deepEqual(texts({}, current), []);
});

test('what is given together is completed from what is in force', () => {
  assert.deepEqual(texts({ memory: { swap: 9 } }, { memory: { limit: 5 } }), ['memory.swap.max=4']);
  assert.deepEqual(texts({ memory: { swap: -1 } }, { memory: { limit: 5 } }), ['memory.swap.max=max']);
  assert.deepEqual(texts({ cpu: { quota: 1000 } }, { cpu: { period: 5000 } }), ['cpu.max=1000 5000']);
  assert.deepEqual(texts({ cpu: { period: 5000 } }, { cpu: { quota: 1000 } }), ['cpu.max=1000 5000']);
  assert.deepEqual(texts({ cpu: { shares: 1024 } }, { cpu: { quota: 1000 } }), ['cpu.weight=100']);
  assert.throws(() => changeWrites({ memory: { swap: 9 } }, {}), /without memory limit/);
});

test('merged field by field', () => {
  assert.deepEqual(
    mergeResources(
      {
        memory: { limit: 5, swap: 9 },
        unified: { 'a.b': '1' },
        hugepageLimits: [{ pageSize: '2MB', limit: 1 }],
      },
      {
        memory: { limit: 6, swap: undefined },
        pids: { limit: 1 },
        unified: { 'c.d': '2' },
        hugepageLimits: [],
      },
    ),
    {
      memory: { limit: 6, swap: 9 },
      unified: { 'a.b': '1', 'c.d': '2' },
      hugepageLimits: [],
      pids: { limit: 1 },
    },
  );
});

test('a change is set, and what is in force is returned', async (t) => {
  const cgroup = fakeCgroup(t, { 'pids.max': '7\n', 'memory.max': 'max\n' });
  const after = await updateCgroup(cgroup, { memory: { limit: 5 } }, { pids: { limit: 7 } });
  // A plain file keeps the rest of what it had.
  assert.equal(cgroup.read('memory.max'), '5ax');
  assert.deepEqual(after, { pids: { limit: 7 }, memory: { limit: 5 } });
});

test('a refused limit sets back those before it', async (t) => {
  const cgroup = fakeCgroup(t, { 'memory.max': '99', 'pids.max': '7' });
  const change: LinuxResources = { memory: { limit: 50 }, pids: { limit: 8 }, unified: { 'misc.max': 'x' } };
  await assert.rejects(updateCgroup(cgroup, change, null), (error) => {
    assert.ok(error instanceof RuntsError);
    assert.match(error.message, /misc/);
    assert.match(error.message, /nothing was changed\)$/);
    assert.equal(error.message.match(/\(/g)?.length, 1, error.message);
    return true;
  });
  assert.equal(cgroup.read('memory.max'), '99');
  assert.equal(cgroup.read('pids.max'), '7');
});

test('a limit below what is used is rejected when the config asks for the check', async (t) => {
  const cgroup = fakeCgroup(t, { 'memory.current': '1000\n', 'memory.max': 'max', 'memory.swap.max': 'max' });
  const rejected = (change: LinuxResources, message: RegExp) =>
    assert.rejects(
      updateCgroup(cgroup, change, { memory: { checkBeforeUpdate: true, limit: 900 } }),
      message,
    );
  await rejected({ memory: { limit: 999 } }, /rejecting memory limit 999 < usage 1000/);
  await rejected({ memory: { swap: 999 } }, /rejecting memory\+swap limit 999 < usage 1000/);
  assert.equal(cgroup.read('memory.max'), 'max');
  await updateCgroup(cgroup, { memory: { limit: 2000 } }, { memory: { checkBeforeUpdate: true } });
  await updateCgroup(cgroup, { memory: { limit: 999 } }, null);
});

test('what brings back a line of a file for many devices', (t) => {
  const cgroup = fakeCgroup(t, {
    'io.max': '8:0 rbps=5 wbps=max riops=max wiops=max\n',
    'io.weight': 'default 100\n8:0 50\n',
    'cpu.max': 'max 100000\n',
  });
  const back = (file: string, value: string) => previousOf(cgroup, { file, value, field: '' })[0]?.value;
  assert.equal(back('io.max', '8:0 rbps=9'), '8:0 rbps=5 wbps=max riops=max wiops=max');
  assert.equal(back('io.max', '8:16 rbps=9'), '8:16 rbps=max wbps=max riops=max wiops=max');
  assert.equal(back('io.weight', '200'), 'default 100');
  assert.equal(back('io.weight', '8:0 200'), '8:0 50');
  assert.equal(back('io.weight', '8:16 200'), '8:16 default');
  assert.equal(back('cpu.max', '5000 100000'), 'max 100000');
  assert.equal(back('none.max', '5'), undefined);
});
