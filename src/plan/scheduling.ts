/**
 * `process.scheduler` and `process.ioPriority` as the kernel takes them.
 *
 * runtime-spec config.md, "Linux Process"; sched(7), sched_setattr(2), ioprio_set(2). The tables are also what
 * `features` and the parent (src/linux/scheduling.ts) read.
 *
 * @module
 */

import { IOPRIO_CLASS, IOPRIO_WHO, SCHED, SCHED_FLAG } from '../../ffi/constants/scheduling.ts';
import type { ProgramBuilder } from '../../ffi/program.ts';
import { bytes } from '../../ffi/program.ts';
import { uint64 } from '../spec/integers.ts';
import type { IOPriorityClass, LinuxIOPriority, Process, Scheduler } from '../spec/types.ts';

/** sizeof(struct sched_attr) with the utilization clamps, Linux 5.3. */
const SCHED_ATTR_SIZE = 56;
const IOPRIO_CLASS_SHIFT = 13;
const CLASSES: Readonly<Record<IOPriorityClass, number>> = {
  IOPRIO_CLASS_RT: IOPRIO_CLASS.RT,
  IOPRIO_CLASS_BE: IOPRIO_CLASS.BE,
  IOPRIO_CLASS_IDLE: IOPRIO_CLASS.IDLE,
};

/** struct sched_attr, sched_setattr(2). What the config doesn't set is 0. */
export function schedulerAttributes(scheduler: Scheduler): Uint8Array {
  const content = new Uint8Array(SCHED_ATTR_SIZE);
  const view = new DataView(content.buffer);
  view.setUint32(0, SCHED_ATTR_SIZE, true);
  view.setUint32(4, constant(SCHED, scheduler.policy, 'SCHED_'), true);
  let flags = 0;
  for (const flag of scheduler.flags ?? []) flags |= constant(SCHED_FLAG, flag, 'SCHED_FLAG_');
  view.setBigUint64(8, BigInt(flags), true);
  view.setInt32(16, scheduler.nice ?? 0, true);
  view.setInt32(20, scheduler.priority ?? 0, true);
  view.setBigUint64(24, uint64(scheduler.runtime ?? 0), true);
  view.setBigUint64(32, uint64(scheduler.deadline ?? 0), true);
  view.setBigUint64(40, uint64(scheduler.period ?? 0), true);
  return content;
}

function constant<T extends Readonly<Record<string, number>>>(
  table: T,
  name: string,
  prefix: string,
): number {
  return table[name.slice(prefix.length)] ?? 0;
}

/** Class and level in one number, ioprio_set(2). */
export function ioPriorityValue({ class: name, priority = 0 }: LinuxIOPriority): number {
  return (CLASSES[name] << IOPRIO_CLASS_SHIFT) | priority;
}

/** Of the process itself, while it has the runtime's rights. */
export function planScheduling(program: ProgramBuilder, { scheduler, ioPriority }: Process): void {
  if (scheduler !== undefined) {
    const attributes = bytes(schedulerAttributes(scheduler), schedulerText(scheduler));
    program.call('sched_setattr', [0, attributes, 0], { field: 'process.scheduler' });
  }
  if (ioPriority !== undefined) {
    program.call('ioprio_set', [IOPRIO_WHO.PROCESS, 0, ioPriorityValue(ioPriority)], {
      field: 'process.ioPriority',
      note: `${ioPriority.class} ${ioPriority.priority ?? 0}`,
    });
  }
}

function schedulerText(scheduler: Scheduler): string {
  const parts = Object.entries(scheduler).map(
    ([name, value]) => `${name}=${Array.isArray(value) ? value.join('|') || '0' : value}`,
  );
  return `{${parts.join(', ')}}`;
}
