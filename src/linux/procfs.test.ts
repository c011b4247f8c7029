import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCgroup, parseStat, processCgroup, processStartTime, readStat } from './procfs.ts';

function statLine(comm: string, state = 'S'): string {
  const middle = Array.from({ length: 16 }, (_, i) => i + 6).join(' ');
  return `4711 (${comm}) ${state} 12 ${middle.replace(/^/, '5 ')} 987654321 8192 1\n`;
}

test('a plain stat line', () => {
  assert.deepEqual(parseStat(statLine('sleep')), {
    pid: 4711,
    comm: 'sleep',
    state: 'S',
    parentPid: 12,
    startTime: 987654321,
  });
});

test('a program can not forge the fields by its name', () => {
  for (const comm of ['x) R 1 (y', ') (', '))))', '((', ' ', '', 'a\nb', '4712 (evil) Z 1']) {
    const stat = parseStat(statLine(comm, 'Z'));
    assert.equal(stat?.comm, comm);
    assert.equal(stat?.state, 'Z');
    assert.equal(stat?.startTime, 987654321);
  }
});

test('what is no stat line gives undefined', () => {
  for (const text of ['', 'x', '1 (a', '1 (a) ', '1 (a) S 1 2 3', ') (', statLine('a').slice(0, 30)]) {
    assert.equal(parseStat(text), undefined, JSON.stringify(text));
  }
});

test('this process', () => {
  const stat = readStat('self');
  assert.equal(stat?.pid, process.pid);
  assert.equal(stat?.parentPid, process.ppid);
  assert.equal(processStartTime(process.pid), stat?.startTime);
  assert.ok((stat?.startTime ?? 0) > 0);
});

test('no such process', () => {
  // Above the greatest pid_max.
  assert.equal(readStat(4194305), undefined);
  assert.equal(processStartTime(4194305), undefined);
  assert.equal(processCgroup(4194305), undefined);
});

test('the v2 line of /proc/PID/cgroup', () => {
  assert.equal(parseCgroup('9:name=systemd:/x\n0::/user.slice/a:b\n'), '/user.slice/a:b');
  assert.equal(parseCgroup('0::/\n'), '/');
  assert.equal(parseCgroup('10::/no\n1:cpu:/x\n'), undefined);
});
