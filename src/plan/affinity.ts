/**
 * On which processors a process may run: `process.execCPUAffinity`, and the end of what the runtime itself inherited.
 *
 * runtime-spec config.md, "Linux Process"; sched_setaffinity(2).
 *
 * @module
 */

import type { Bytes, ProgramBuilder } from '../../ffi/program.ts';
import { bytes } from '../../ffi/program.ts';
import { listMask } from '../spec/lists.ts';

/** Bytes of a mask of all processors: x86-64's largest NR_CPUS is 8192. The kernel ignores what it has no room for. */
const ALL_SIZE = 1024;

/** The mask of a list such as `0-3,7`, as sched_setaffinity(2) takes it; of all processors without a list. */
export function affinityMask(list?: string): Uint8Array {
  return list === undefined || list === '' ? new Uint8Array(ALL_SIZE).fill(0xff) : listMask(list);
}

/** Runs on the processors of a list from here on. */
export function planAffinity(program: ProgramBuilder, list: string, field: string): void {
  const mask = affinityMask(list);
  program.call('sched_setaffinity', [0, mask.length, shown(mask, `CPUs ${list}`)], { field });
}

/**
 * Runs on every processor that the container's cgroup allows. A cpuset only narrows what a process has: one that was
 * started by a pinned service would keep the container on that service's processors (since Linux 6.2 for good).
 */
export function planAnyProcessor(program: ProgramBuilder): void {
  const mask = affinityMask();
  program.call('sched_setaffinity', [0, mask.length, shown(mask, 'all CPUs')], {
    tolerate: 'any',
    note: 'not the runtime’s own processors',
  });
}

function shown(mask: Uint8Array, text: string): Bytes {
  return bytes(mask, `{${text}}`);
}
