/**
 * `linux.memoryPolicy`: on which memory nodes the container's memory comes to lie.
 *
 * runtime-spec config-linux.md, "Memory policy"; set_mempolicy(2). Threads and children inherit it, across execve.
 *
 * @module
 */

import { MPOL, MPOL_F } from '../../ffi/constants/scheduling.ts';
import type { ProgramBuilder } from '../../ffi/program.ts';
import { bytes } from '../../ffi/program.ts';
import { listMask } from '../spec/lists.ts';
import type { LinuxMemoryPolicy, MemoryPolicyFlagType, MemoryPolicyModeType } from '../spec/types.ts';

/** Modes by the specification's names; `features` prints them. */
export const MEMORY_POLICY_MODES: Readonly<Record<MemoryPolicyModeType, number>> = {
  MPOL_DEFAULT: MPOL.DEFAULT,
  MPOL_BIND: MPOL.BIND,
  MPOL_INTERLEAVE: MPOL.INTERLEAVE,
  MPOL_WEIGHTED_INTERLEAVE: MPOL.WEIGHTED_INTERLEAVE,
  MPOL_PREFERRED: MPOL.PREFERRED,
  MPOL_PREFERRED_MANY: MPOL.PREFERRED_MANY,
  MPOL_LOCAL: MPOL.LOCAL,
};

/** Flags by the specification's names; `features` prints them. */
export const MEMORY_POLICY_FLAGS: Readonly<Record<MemoryPolicyFlagType, number>> = {
  MPOL_F_NUMA_BALANCING: MPOL_F.NUMA_BALANCING,
  MPOL_F_RELATIVE_NODES: MPOL_F.RELATIVE_NODES,
  MPOL_F_STATIC_NODES: MPOL_F.STATIC_NODES,
};

export function planMemoryPolicy(
  program: ProgramBuilder,
  { mode, nodes, flags = [] }: LinuxMemoryPolicy,
): void {
  let value = MEMORY_POLICY_MODES[mode];
  for (const flag of flags) value |= MEMORY_POLICY_FLAGS[flag];
  const options = { field: 'linux.memoryPolicy' };
  if (nodes === undefined || nodes.trim() === '') {
    program.call('set_mempolicy', [value, null, 0], options);
    return;
  }
  const mask = listMask(nodes);
  // The kernel takes one off the number of bits before it reads the mask.
  program.call('set_mempolicy', [value, bytes(mask, `{nodes ${nodes}}`), mask.length * 8 + 1], options);
}
