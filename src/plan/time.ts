/**
 * A new time namespace and its offsets.
 *
 * A process that unshares it stays where it is; its children are in it, and from the first of them on the offsets are
 * fixed: time_namespaces(7), runtime-spec config-linux.md, "Offset for Time Namespace".
 *
 * @module
 */

import { AT, CLONE, O } from '../../ffi/constants/index.ts';
import type { Cell } from '../../ffi/program.ts';
import { bytes, valueIn } from '../../ffi/program.ts';
import { utf8 } from '../../ffi/text.ts';
import type { Linux, LinuxTimeOffset } from '../spec/types.ts';
import type { PlanContext } from './types.ts';

type TimeOffsets = NonNullable<Linux['timeOffsets']>;

const FIELD = 'linux.timeOffsets';

/**
 * Opens the file of the offsets. Before anything else: the kernel asks for the rights of whoever opened it, and in a
 * new user namespace a process that can't be traced doesn't own its files in /proc.
 */
export function planOpenOffsets(ctx: PlanContext, offsets: TimeOffsets | undefined): Cell | undefined {
  if (offsets === undefined || offsetsText(offsets) === '') return undefined;
  const file = ctx.program.cell('timeOffsets');
  ctx.program.call('openat', [AT.FDCWD, '/proc/self/timens_offsets', O.WRONLY | O.CLOEXEC], {
    store: file,
    field: FIELD,
  });
  return file;
}

/** Makes the namespace for the child that is cloned next. */
export function planTimeNamespace(
  ctx: PlanContext,
  field: string,
  offsets: TimeOffsets | undefined,
  file: Cell | undefined,
): void {
  const { program } = ctx;
  program.call('unshare', [CLONE.NEWTIME], { field });
  if (offsets === undefined || file === undefined) return;
  const text = offsetsText(offsets);
  program.within(FIELD, () => {
    const content = utf8(text);
    program.call('write', [valueIn(file), bytes(content, JSON.stringify(text)), content.length]);
    program.call('close', [valueIn(file)]);
  });
}

/** One line for each clock: name, seconds, nanoseconds. The kernel takes them in one write at the file's beginning. */
export function offsetsText(offsets: TimeOffsets): string {
  return (['monotonic', 'boottime'] as const)
    .map((clock): [string, LinuxTimeOffset | undefined] => [clock, offsets[clock]])
    .map(([clock, offset]) => (offset === undefined ? '' : line(clock, offset)))
    .join('');
}

function line(clock: string, { secs = 0, nanosecs = 0 }: LinuxTimeOffset): string {
  return `${clock} ${BigInt(secs)} ${nanosecs}\n`;
}
