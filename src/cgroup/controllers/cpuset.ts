/**
 * `linux.resources.cpu.cpus` and `mems`: which processors and memory nodes a container may use.
 *
 * @see config-linux.md, CPU; cgroup-v2.rst, Cpuset Interface Files
 * @module
 */

import type { LinuxCPU } from '../../spec/types.ts';
import type { Write } from '../write.ts';

/** The writes for the sets; an empty text leaves a file as it is. The kernel checks the lists. */
export function cpuset({ cpus = '', mems = '' }: LinuxCPU): Write[] {
  const writes: Write[] = [];
  if (cpus !== '') writes.push({ file: 'cpuset.cpus', value: cpus, field: 'linux.resources.cpu.cpus' });
  if (mems !== '') writes.push({ file: 'cpuset.mems', value: mems, field: 'linux.resources.cpu.mems' });
  return writes;
}
