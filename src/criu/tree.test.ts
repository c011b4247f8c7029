import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProcessStat } from '../linux/procfs.ts';
import { outsideTree } from './tree.ts';

const table: Record<number, [parent: number, state?: string]> = {
  1: [0],
  50: [1],
  100: [50],
  101: [100],
  102: [101],
  200: [50],
  201: [200],
  300: [50, 'Z'],
};

const stat = (pid: number): ProcessStat | undefined => {
  const [parentPid, state = 'S'] = table[pid] ?? [];
  return parentPid === undefined ? undefined : { pid, comm: `p${pid}`, state, parentPid, startTime: 1 };
};

test('what does not descend from the first process is outside', () => {
  const outside = (pids: number[]): number[] => outsideTree(100, pids, stat).map(({ pid }) => pid);
  assert.deepEqual(outside([100, 101, 102]), []);
  assert.deepEqual(outside([102, 200, 201, 100]), [200, 201]);
  assert.deepEqual(outside([300, 999]), [], 'a zombie, and one that is gone');
});

test('this process and its parent', () => {
  assert.deepEqual(outsideTree(process.ppid, [process.pid]), []);
  assert.deepEqual(
    outsideTree(process.pid, [process.ppid]).map(({ pid }) => pid),
    [process.ppid],
  );
});
