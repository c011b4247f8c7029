/**
 * The size that a terminal relayed here has from its first moment on: a program that asks at once must not see 0 by 0
 * because the relay, which follows later changes, has not begun.
 *
 * @module
 */

import { windowSize } from '../../ffi/terminal.ts';
import type { Process } from '../spec/types.ts';

/** The process with the size of the runtime's own terminal; as it was where there is none, or one of unknown size. */
export function withHostSize(process: Process): Process {
  for (const fd of [0, 1, 2]) {
    const size = sizeOf(fd);
    if (size !== undefined) return { ...process, consoleSize: { height: size.rows, width: size.columns } };
  }
  return process;
}

function sizeOf(fd: number): ReturnType<typeof windowSize> | undefined {
  try {
    const size = windowSize(fd);
    return size.rows > 0 && size.columns > 0 ? size : undefined;
  } catch {
    // no terminal
    return undefined;
  }
}
