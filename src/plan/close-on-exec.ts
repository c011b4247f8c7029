/**
 * Closing descriptors at execve.
 *
 * @module
 */

import { CLOSE_RANGE, F, FD, RLIMIT } from '../../ffi/constants/index.ts';
import type { ProgramBuilder } from '../../ffi/program.ts';
import { addressOf, valueIn } from '../../ffi/program.ts';

const LAST_FD = 0xffffffff;

/**
 * Has every descriptor from `first` on closed at execve: the last thing done with descriptors.
 *
 * @param closeRange - false before Linux 5.11, where close_range(2) can't do it: then one after the other, up to the limit
 */
export function planCloseOnExec(program: ProgramBuilder, first: number, closeRange = true): void {
  if (closeRange) {
    program.call('close_range', [first, LAST_FD, CLOSE_RANGE.CLOEXEC], {
      note: 'no descriptor of the host gets in',
    });
    return;
  }
  const limit = program.cell('limit', 16);
  const descriptor = program.cell('descriptor');
  const again = program.label('again');
  program.call('prlimit64', [0, RLIMIT.NOFILE, null, addressOf(limit)]);
  program.set(descriptor, first);
  program.place(again);
  program.call('fcntl', [valueIn(descriptor), F.SETFD, FD.CLOEXEC], { tolerate: ['EBADF'] });
  program.set(descriptor, valueIn(descriptor), '+', 1);
  program.jumpIf(valueIn(descriptor), '<', valueIn(limit), again);
}
