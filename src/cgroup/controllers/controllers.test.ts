/** Every limit's file and text; config-linux.md and the kernel's cgroup-v2.rst. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RuntsError } from '../../errors.ts';
import type { LinuxResources } from '../../spec/types.ts';
import { weightOfShares } from './cpu.ts';
import { limitWrites } from './index.ts';
import { ioWeight } from './io.ts';

/** The writes as `file=value` lines. */
const texts = (resources: LinuxResources): string[] =>
  limitWrites(resources).map(({ file, value }) => `${file}=${value}`);

const fails = (resources: LinuxResources, field: string, message: RegExp): void => {
  assert.throws(
    () => limitWrites(resources),
    (error) => {
      assert.ok(error instanceof RuntsError);
      assert.equal(error.details.field, field);
      assert.match(error.message, message);
      assert.ok(error.message.startsWith(field) || error.message.startsWith('unified'), error.message);
      return true;
    },
  );
};

test('memory: limit, reservation, swap', () => {
  assert.deepEqual(texts({ memory: { limit: 1000, reservation: 500, swap: 3000 } }), [
    'memory.swap.max=2000',
    'memory.max=1000',
    'memory.low=500',
  ]);
  assert.deepEqual(texts({ memory: { limit: 1000, swap: 1000 } }), ['memory.swap.max=0', 'memory.max=1000']);
  assert.deepEqual(texts({ memory: { limit: 1000, swap: -1 } }), ['memory.swap.max=max', 'memory.max=1000']);
  assert.deepEqual(texts({ memory: { limit: 1000 } }), ['memory.max=1000']);
  assert.deepEqual(texts({ memory: { swap: -1 } }), ['memory.swap.max=max']);
});

test('memory: unlimited also lifts the limit of swap', () => {
  assert.deepEqual(texts({ memory: { limit: -1 } }), ['memory.swap.max=max', 'memory.max=max']);
  assert.deepEqual(texts({ memory: { reservation: -1 } }), ['memory.low=max']);
});

test('memory: 0 and absent leave the files alone', () => {
  assert.deepEqual(texts({ memory: { limit: 0, reservation: 0, swap: 0 } }), []);
  assert.deepEqual(texts({ memory: {} }), []);
});

test('memory: all digits of large values', () => {
  // PAGE_COUNTER_MAX, which some callers write for "no limit".
  assert.deepEqual(texts({ memory: { limit: 2 ** 63 - 4096 } }), ['memory.max=9223372036854771712']);
});

test('memory: a missing swap file is fine when swap is not to be limited', () => {
  const swap = (limits: NonNullable<LinuxResources['memory']>) =>
    limitWrites({ memory: limits }).find(({ file }) => file === 'memory.swap.max')?.tolerate;
  assert.deepEqual(swap({ limit: 5, swap: 5 }), ['ENOENT']);
  assert.deepEqual(swap({ swap: -1 }), ['ENOENT']);
  assert.equal(swap({ limit: 5, swap: 6 }), undefined);
});

test('memory: contradictions', () => {
  const swap = 'linux.resources.memory.swap';
  fails({ memory: { swap: 5 } }, swap, /unable to set swap limit without memory limit/);
  fails({ memory: { limit: -1, swap: 5 } }, swap, /unable to set swap limit without memory limit/);
  fails({ memory: { limit: 6, swap: 5 } }, swap, /memory\+swap limit should be >= memory limit/);
  fails({ memory: { swap: -2 } }, swap, /negative/);
  fails({ memory: { limit: -2 } }, 'linux.resources.memory.limit', /-2: negative \(-1 means no limit\)/);
  fails({ memory: { reservation: -9 } }, 'linux.resources.memory.reservation', /negative/);
});

test('what only cgroup v1 has is refused, unless it asks for nothing', () => {
  const memory = 'linux.resources.memory';
  fails({ memory: { swappiness: 60 } }, `${memory}.swappiness`, /only cgroup v1/);
  fails({ memory: { disableOOMKiller: true } }, `${memory}.disableOOMKiller`, /only cgroup v1/);
  fails({ memory: { useHierarchy: false } }, `${memory}.useHierarchy`, /always hierarchical/);
  fails({ cpu: { realtimeRuntime: 1 } }, 'linux.resources.cpu.realtimeRuntime', /only cgroup v1/);
  fails({ cpu: { realtimePeriod: 1 } }, 'linux.resources.cpu.realtimePeriod', /only cgroup v1/);
  fails({ network: { classID: 1 } }, 'linux.resources.network.classID', /only cgroup v1/);
  const priorities = [{ name: 'eth0', priority: 1 }];
  fails({ network: { priorities } }, 'linux.resources.network.priorities', /only cgroup v1/);
  fails({ blockIO: { leafWeight: 10 } }, 'linux.resources.blockIO.leafWeight', /leaf weights/);
  const weightDevice = [
    { major: 8, minor: 0, weight: 10 },
    { major: 8, minor: 16, leafWeight: 10 },
  ];
  fails({ blockIO: { weightDevice } }, 'linux.resources.blockIO.weightDevice[1].leafWeight', /leaf weights/);
  assert.deepEqual(
    texts({
      memory: {
        disableOOMKiller: false,
        useHierarchy: true,
        kernel: 5,
        kernelTCP: 5,
        checkBeforeUpdate: true,
      },
      cpu: { realtimeRuntime: 0, realtimePeriod: 0 },
      network: { classID: 0, priorities: [] },
    }),
    [],
  );
});

test('cpu: shares to weight, by the formula of 2025', () => {
  const known = [
    [0, 0],
    [1, 1],
    [2, 1],
    [3, 2],
    [102, 17],
    [512, 59],
    [1024, 100],
    [2048, 174],
    [4096, 303],
    [262143, 10000],
    [262144, 10000],
    [2 ** 53, 10000],
  ] as const;
  for (const [shares, weight] of known) assert.equal(weightOfShares(shares), weight, String(shares));
});

test('cpu: more shares never are less weight', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 262144 }), (shares) => {
      const weight = weightOfShares(shares);
      assert.ok(Number.isInteger(weight) && weight >= 1 && weight <= 10000);
      assert.ok(weight >= weightOfShares(shares - 1));
    }),
  );
});

test('cpu: quota and period', () => {
  assert.deepEqual(texts({ cpu: { quota: 20000, period: 50000 } }), ['cpu.max=20000 50000']);
  assert.deepEqual(texts({ cpu: { quota: 20000 } }), ['cpu.max=20000 100000']);
  assert.deepEqual(texts({ cpu: { period: 50000 } }), ['cpu.max=max 50000']);
  assert.deepEqual(texts({ cpu: { quota: -1 } }), ['cpu.max=max 100000']);
  assert.deepEqual(texts({ cpu: { quota: -1, period: 50000 } }), ['cpu.max=max 50000']);
  assert.deepEqual(texts({ cpu: { quota: 0, period: 0, shares: 0 } }), []);
});

test('cpu: a burst goes before and after the quota', () => {
  const writes = limitWrites({ cpu: { quota: 20000, burst: 10000 } });
  assert.deepEqual(
    writes.map(({ file, tolerate }) => [file, tolerate?.join()]),
    [
      ['cpu.max.burst', 'EINVAL'],
      ['cpu.max', undefined],
      ['cpu.max.burst', undefined],
    ],
  );
  assert.deepEqual(texts({ cpu: { burst: 0 } }), ['cpu.max.burst=0']);
});

test('cpu: an idle cgroup has no weight of its own', () => {
  assert.deepEqual(texts({ cpu: { idle: 1, shares: 1024 } }), ['cpu.idle=1']);
  assert.deepEqual(texts({ cpu: { idle: 0, shares: 1024 } }), ['cpu.idle=0', 'cpu.weight=100']);
});

test('cpuset', () => {
  assert.deepEqual(texts({ cpu: { cpus: '0-3,7', mems: '0' } }), ['cpuset.cpus=0-3,7', 'cpuset.mems=0']);
  assert.deepEqual(texts({ cpu: { cpus: '', mems: '' } }), []);
});

test('pids: 0 is the least that lets init live, negative no limit', () => {
  assert.deepEqual(texts({ pids: { limit: 7 } }), ['pids.max=7']);
  assert.deepEqual(texts({ pids: { limit: 0 } }), ['pids.max=1']);
  assert.deepEqual(texts({ pids: { limit: -1 } }), ['pids.max=max']);
  assert.deepEqual(texts({ pids: {} }), []);
});

test('io: weights, to BFQ or to io.weight on its own scale', () => {
  const device = { major: 8, minor: 16 };
  const writes = limitWrites({ blockIO: { weight: 500, weightDevice: [{ ...device, weight: 1000 }] } });
  assert.deepEqual(
    writes.map(({ file, value, otherwise }) => [file, value, otherwise]),
    [
      ['io.bfq.weight', '500', { file: 'io.weight', value: '4950' }],
      ['io.bfq.weight', '8:16 1000', { file: 'io.weight', value: '8:16 10000' }],
    ],
  );
  assert.deepEqual([1, 10, 100, 1000].map(ioWeight), [1, 1, 910, 10000]);
  assert.deepEqual(texts({ blockIO: { weight: 0, weightDevice: [{ ...device, weight: 0 }] } }), []);
});

test('io: throttles', () => {
  const [a, b] = [
    { major: 8, minor: 0, rate: 1048576 },
    { major: 8, minor: 16, rate: 0 },
  ];
  assert.deepEqual(
    texts({
      blockIO: {
        throttleReadBpsDevice: [a, b],
        throttleWriteBpsDevice: [a],
        throttleReadIOPSDevice: [a],
        throttleWriteIOPSDevice: [b],
      },
    }),
    [
      'io.max=8:0 rbps=1048576',
      'io.max=8:16 rbps=max',
      'io.max=8:0 wbps=1048576',
      'io.max=8:0 riops=1048576',
      'io.max=8:16 wiops=max',
    ],
  );
});

test('hugetlb: use and reservations', () => {
  const writes = limitWrites({ hugepageLimits: [{ pageSize: '2MB', limit: 4194304 }] });
  assert.deepEqual(
    writes.map(({ file, value, tolerate }) => [file, value, tolerate?.join()]),
    [
      ['hugetlb.2MB.max', '4194304', undefined],
      ['hugetlb.2MB.rsvd.max', '4194304', 'ENOENT'],
    ],
  );
});

test('rdma', () => {
  const rdma = { mlx5_0: { hcaHandles: 3, hcaObjects: 1000 }, mlx5_1: { hcaObjects: 5 } };
  assert.deepEqual(texts({ rdma }), [
    'rdma.max=mlx5_0 hca_handle=3 hca_object=1000',
    'rdma.max=mlx5_1 hca_object=5',
  ]);
});

test('unified: last, line by line, and never what the runtime itself uses', () => {
  const unified = { 'memory.high': '1000', 'io.max': '8:0 rbps=1\n8:16 wbps=2\n', 'cpuset.cpus': '' };
  assert.deepEqual(texts({ unified, pids: { limit: 3 } }), [
    'pids.max=3',
    'memory.high=1000',
    'io.max=8:0 rbps=1',
    'io.max=8:16 wbps=2',
    'cpuset.cpus=',
  ]);
  const bad = (key: string, message: RegExp) =>
    fails({ unified: { [key]: '1' } }, `linux.resources.unified[${JSON.stringify(key)}]`, message);
  bad('../memory.max', /must be a file name/);
  bad('memory', /CONTROLLER\.PARAMETER/);
  bad('.x', /CONTROLLER\.PARAMETER/);
  bad('cgroup.procs', /the runtime uses it itself/);
  bad('cgroup.freeze', /the runtime uses it itself/);
});

test('every write names its field', () => {
  const all: LinuxResources = {
    memory: { limit: 1, reservation: 1, swap: 2 },
    cpu: { shares: 5, quota: 5000, burst: 0, idle: 0, cpus: '0', mems: '0' },
    pids: { limit: 1 },
    blockIO: { weight: 10 },
    hugepageLimits: [{ pageSize: '2MB', limit: 0 }],
    rdma: { a: { hcaHandles: 1 } },
    unified: { 'a.b': 'c' },
  };
  for (const { field } of limitWrites(all)) assert.match(field, /^linux\.resources\.\w/);
});
