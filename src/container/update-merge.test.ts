import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changedResources, meaningful } from './update-merge.ts';

test('a change keeps what it does not name', () => {
  const old = { memory: { limit: 10, swap: 20 }, cpu: { shares: 5 }, devices: [{ allow: true }] };
  const change = { memory: { limit: 15 }, pids: { limit: 3 } };
  assert.deepEqual(changedResources(old, change), {
    memory: { limit: 15, swap: 25 },
    cpu: { shares: 5 },
    devices: [{ allow: true }],
    pids: { limit: 3 },
  });
  assert.deepEqual(changedResources({}, change), change);
});

test('a memory limit alone leaves the swap as large as it was', () => {
  const swap = (before: object, limit: number): number | undefined =>
    changedResources({ memory: before }, { memory: { limit } }).memory?.swap;
  assert.equal(swap({ limit: 100, swap: 100 }, 50), 50);
  assert.equal(swap({ limit: 100, swap: 300 }, 500), 700);
  assert.equal(swap({ limit: 100, swap: -1 }, 50), -1);
  assert.equal(swap({ limit: 100, swap: 300 }, -1), -1);
  assert.equal(swap({ limit: 100 }, 50), undefined);
  assert.equal(
    changedResources({ memory: { limit: 1, swap: 2 } }, { memory: { limit: 3, swap: 9 } }).memory?.swap,
    9,
  );
});

test('lists are merged by device and by page size', () => {
  const rate = (minor: number, value: number) => ({ major: 8, minor, rate: value });
  const before = {
    blockIO: {
      throttleReadBpsDevice: [rate(0, 1), rate(16, 2)],
      weightDevice: [{ major: 8, minor: 0, weight: 10 }],
    },
    hugepageLimits: [{ pageSize: '2MB', limit: 1 }],
  };
  const after = changedResources(before, {
    blockIO: {
      throttleReadBpsDevice: [rate(16, 3), rate(32, 4)],
      weightDevice: [{ major: 8, minor: 16, weight: 20 }],
    },
    hugepageLimits: [{ pageSize: '1GB', limit: 2 }],
  });
  assert.deepEqual(after, {
    blockIO: {
      throttleReadBpsDevice: [rate(0, 1), rate(16, 3), rate(32, 4)],
      weightDevice: [
        { major: 8, minor: 0, weight: 10 },
        { major: 8, minor: 16, weight: 20 },
      ],
    },
    hugepageLimits: [
      { pageSize: '2MB', limit: 1 },
      { pageSize: '1GB', limit: 2 },
    ],
  });
});

test('zeros of a Go caller say nothing, where 0 is no value', () => {
  const change = {
    memory: { limit: 0, swap: 0, reservation: 0 },
    cpu: { shares: 0, quota: -1, period: 0, burst: 0, cpus: '', mems: '' },
    blockIO: { weight: 0 },
    devices: [{ allow: false, access: 'rwm' }],
    hugepageLimits: [],
    pids: { limit: 7 },
  };
  assert.deepEqual(meaningful(change), { cpu: { quota: -1, burst: 0 }, pids: { limit: 7 } });
  assert.deepEqual(meaningful({}), {});
});
