import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bytes, Program, type SyscallOp } from '../../ffi/program.ts';
import type { LinuxMemoryPolicy } from '../spec/types.ts';
import { planMemoryPolicy } from './memory-policy.ts';
import { lines } from './testing/context.ts';

function planOf(policy: LinuxMemoryPolicy): Program {
  const program = new Program();
  planMemoryPolicy(program, policy);
  return program;
}

test('modes and flags by name', () => {
  assert.deepEqual(lines(planOf({ mode: 'MPOL_INTERLEAVE', nodes: '0-1', flags: ['MPOL_F_STATIC_NODES'] })), [
    '# linux.memoryPolicy',
    'set_mempolicy(MPOL_INTERLEAVE|MPOL_F_STATIC_NODES, {nodes 0-1}, 65)',
  ]);
  const all: [LinuxMemoryPolicy['mode'], number][] = [
    ['MPOL_DEFAULT', 0],
    ['MPOL_PREFERRED', 1],
    ['MPOL_BIND', 2],
    ['MPOL_INTERLEAVE', 3],
    ['MPOL_LOCAL', 4],
    ['MPOL_PREFERRED_MANY', 5],
    ['MPOL_WEIGHTED_INTERLEAVE', 6],
  ];
  for (const [mode, number] of all) {
    const [op] = planOf({ mode, flags: ['MPOL_F_NUMA_BALANCING', 'MPOL_F_RELATIVE_NODES'] }).ops;
    assert.equal((op as SyscallOp).args[0], number | 0x2000 | 0x4000, mode);
  }
});

test('without nodes there is no mask', () => {
  assert.deepEqual(lines(planOf({ mode: 'MPOL_LOCAL' })).slice(1), ['set_mempolicy(MPOL_LOCAL, NULL, 0)']);
  assert.deepEqual(lines(planOf({ mode: 'MPOL_DEFAULT', nodes: ' ' })).slice(1), [
    'set_mempolicy(MPOL_DEFAULT, NULL, 0)',
  ]);
});

test('the mask is as large as its nodes need', () => {
  const [op] = planOf({ mode: 'MPOL_BIND', nodes: '1,64' }).ops as SyscallOp[];
  assert.deepEqual([...(op!.args[1] as Bytes).bytes], [2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
  assert.equal(op!.args[2], 129);
});
