/**
 * Writing to the descriptors that the caller gave us.
 *
 * Never through `process.stdout` or `process.stderr`: these make a pipe non-blocking, and the pipe may be the
 * container's own (`create` hands its descriptors 0 to 2 to the container).
 *
 * @module
 */

import { writeSync } from '#files';
import { utf8 } from '../../ffi/text.ts';
import { errnoOf, RuntsError } from '../errors.ts';
import { sleep } from '../linux/wait.ts';
import { errnoText } from './present.ts';

/**
 * Writes the whole text, also to a non-blocking descriptor.
 *
 * @returns false when the reader is gone (EPIPE): there is nobody to tell, so it is no failure.
 * @throws the system error of write(2) for anything else
 */
export function writeAll(fd: number, text: string): boolean {
  let rest: Uint8Array = utf8(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'EPIPE') return false;
      // No way to system calls at all, which a broken installation can be the reason of: the engine's own way to say so.
      if (errno === undefined && fd === 2) {
        console.error(text.trimEnd());
        return true;
      }
      if (errno === 'EAGAIN') sleep(1);
      else if (errno !== 'EINTR') throw error;
    }
  }
  return true;
}

/**
 * Prints a command's result on stdout. A reader that went away (`runts list | head -1`) is no failure.
 *
 * @throws RuntsError E_SYSCALL when the text cannot be written, e.g. to a full disk
 */
export function print(text: string): void {
  try {
    writeAll(1, text);
  } catch (error) {
    const errno = errnoOf(error);
    throw new RuntsError('E_SYSCALL', `write to stdout: ${errnoText(error)}`, { syscall: 'write', errno });
  }
}

/** Writes to stderr as far as possible: a failure here has nowhere to go. */
export function printError(text: string): void {
  try {
    writeAll(2, text);
  } catch {
    // stderr is closed or full.
  }
}
