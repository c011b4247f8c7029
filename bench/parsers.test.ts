import assert from 'node:assert/strict';
import { test } from 'node:test';
import { busySeconds } from './machine.ts';
import { fieldKB, memoryController } from './memory.ts';
import { parseStraceSummary, traced } from './strace.ts';
import { findTarget } from './targets.ts';
import { parseMountinfo } from './world.ts';

test('fields of smaps_rollup', () => {
  const text =
    '00400000-7fff r--p 00000000 00:00 0    [rollup]\nRss:                 964 kB\nPss:                  24 kB\nPss_Anon:             8 kB\n';
  assert.equal(fieldKB(text, 'Pss'), 24);
  assert.equal(fieldKB(text, 'Rss'), 964);
  assert.equal(fieldKB(text, 'Swap'), undefined);
});

test('where the memory controller is', () => {
  const head = '#subsys_name\thierarchy\tnum_cgroups\tenabled\n';
  assert.equal(memoryController(`${head}memory\t4\t14\t1\n`), 'v1');
  assert.equal(memoryController(`${head}memory\t0\t14\t1\n`), 'v2');
  assert.equal(memoryController(`${head}memory\t0\t14\t0\n`), 'none');
  assert.equal(memoryController(head), 'none');
});

test('mount points with optional fields and escaped spaces', () => {
  const text =
    '36 35 98:0 / /mnt/a\\040b rw,noatime shared:1 master:2 - ext3 /dev/root rw\n40 36 0:30 / /sys/fs/cgroup rw - cgroup2 none rw\n';
  assert.deepEqual(parseMountinfo(text), [
    { mountPoint: '/mnt/a b', type: 'ext3' },
    { mountPoint: '/sys/fs/cgroup', type: 'cgroup2' },
  ]);
});

const summary = `% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 49.17    0.000446         446         1           execve
  2.43    0.000022          22        10         3 access
  0.00    0.000000           0         2           munmap
------ ----------- ----------- --------- --------- ----------------
100.00    0.000907          31        13         3 total
`;

test('counts of strace, with and without errors', () => {
  assert.deepEqual(parseStraceSummary(summary), {
    total: 13,
    errors: 3,
    byName: { execve: 1, access: 10, munmap: 2 },
  });
});

test('a table that is not finished counts as none', () => {
  assert.equal(parseStraceSummary(summary.split('\n').slice(0, 4).join('\n')), undefined);
  assert.equal(parseStraceSummary(''), undefined);
});

test('only measured steps are traced', () => {
  const sample = {
    key: 'k',
    concurrency: 1,
    lanes: [
      {
        steps: [
          { kind: 'run' as const, argv: ['/bin/rt', 'create'] },
          { kind: 'run' as const, argv: ['/bin/rt', 'state'], slot: 'state' },
        ],
      },
    ],
  };
  const result = traced('/usr/bin/strace', sample, '/w');
  const [first, second] = result.sample.lanes[0]?.steps ?? [];
  assert.equal(first?.argv[0], '/bin/rt');
  assert.equal(second?.argv[0], '/usr/bin/strace');
  assert.deepEqual(second?.argv.slice(-2), ['/bin/rt', 'state']);
  assert.deepEqual([...result.files.keys()], ['state']);
});

test('what is missing is said', () => {
  assert.deepEqual(findTarget('runts', '/nowhere'), { name: 'runts', reason: 'not built (npm run build)' });
  assert.deepEqual(findTarget('no-such-runtime', '/nowhere'), {
    name: 'no-such-runtime',
    reason: 'not installed',
  });
  assert.deepEqual(findTarget('x=bin/rt', '/nowhere'), { name: 'x', reason: 'the path must be absolute' });
  assert.deepEqual(findTarget('x=/nowhere/rt', '/nowhere'), { name: 'x', reason: 'no /nowhere/rt' });
});

test('busy time is all but idle, waiting and guests', () => {
  const stat = 'cpu  100 20 30 9999 500 4 5 6 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n';
  assert.equal(busySeconds(stat), 1.65);
});
