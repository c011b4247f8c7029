import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flatKeyed, NO_LIMIT, nestedKeyed, numberList, singleValue } from './parse.ts';
import { pressure } from './pressure.ts';
import { statsOf } from './stats.ts';

const FILES: Record<string, string> = {
  'cpu.stat':
    'usage_usec 2500\nuser_usec 1500\nsystem_usec 1000\nnr_periods 7\nnr_throttled 3\nthrottled_usec 90\n',
  'cpu.pressure':
    'some avg10=1.50 avg60=0.25 avg300=0.00 total=4200\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n',
  'cpuset.cpus.effective': '0-2,5\n',
  'memory.current': '4096\n',
  'memory.max': 'max\n',
  'memory.peak': '8192\n',
  'memory.swap.current': '100\n',
  'memory.swap.max': '1000\n',
  'memory.stat': 'anon 1000\nfile 2000\nkernel 300\n',
  'memory.events': 'low 0\nhigh 0\nmax 5\noom 1\noom_kill 1\n',
  'pids.current': '3\n',
  'pids.max': 'max\n',
  'io.stat': '254:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n',
  'hugetlb.2MB.current': '2097152\n',
  'hugetlb.2MB.events': 'max 4\n',
};

test('the forms of cgroup files', () => {
  assert.equal(singleValue('12\n'), 12);
  assert.equal(singleValue('max\n'), NO_LIMIT);
  assert.deepEqual(flatKeyed('a 1\nb 2\n'), { a: 1, b: 2 });
  assert.deepEqual(nestedKeyed('8:0 rbytes=1 wios=2\n'), [['8:0', { rbytes: 1, wios: 2 }]]);
  assert.deepEqual(numberList('0-2,5\n'), [0, 1, 2, 5]);
  assert.deepEqual(numberList('\n'), []);
});

test('pressure, and none where the kernel keeps none', () => {
  assert.deepEqual(pressure('some avg10=1.50 avg60=0.25 avg300=0.00 total=4200\n'), {
    some: { avg10: 1.5, avg60: 0.25, avg300: 0, total: 4200 },
  });
  assert.equal(pressure(undefined), undefined);
});

test('statistics of all controllers, in the units of events', () => {
  const stats = statsOf((name) => FILES[name], ['2MB']);
  assert.deepEqual(stats.cpu.usage, { total: 2_500_000, kernel: 1_000_000, user: 1_500_000 });
  assert.deepEqual(stats.cpu.throttling, { periods: 7, throttledPeriods: 3, throttledTime: 90_000 });
  assert.equal(stats.cpu.psi?.some?.total, 4200);
  assert.deepEqual(stats.cpuset, { cpus: [0, 1, 2, 5], mems: undefined });
  assert.deepEqual(stats.memory.usage, { limit: NO_LIMIT, usage: 4096, max: 8192, failcnt: 5 });
  assert.deepEqual(stats.memory.swap, { limit: NO_LIMIT, usage: 4196, max: 8192, failcnt: 0 });
  assert.equal(stats.memory.cache, 2000);
  assert.equal(stats.memory.kernel.usage, 300);
  assert.deepEqual(stats.pids, { current: 3, limit: 0 });
  assert.deepEqual(stats.blkio.ioServiceBytesRecursive, [
    { major: 254, minor: 0, op: 'Read', value: 10 },
    { major: 254, minor: 0, op: 'Write', value: 20 },
  ]);
  assert.deepEqual(stats.hugetlb, { '2MB': { usage: 2_097_152, max: 0, failcnt: 4 } });
});

test('without any controller everything is zero', () => {
  const stats = statsOf(() => undefined, []);
  assert.equal(stats.cpu.usage.total, 0);
  assert.equal(stats.memory.usage.usage, 0);
  assert.deepEqual(stats.blkio.ioServiceBytesRecursive, []);
});
