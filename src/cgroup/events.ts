/**
 * Waiting for what cgroup.events tells of: the kernel wakes whoever polls the file when it changes.
 *
 * @see cgroup-v2.rst, "cgroup.events"; poll(2) on a file of kernfs
 * @module
 */

import { closeSync, constants, openSync, readSync } from '#files';
import { POLL, poll } from '../../ffi/descriptors.ts';
import { errnoOf } from '../errors.ts';

/**
 * The kernel tells at most every 10 ms, and doesn't tell of what isn't in the file, such as a rmdir(2) that fails for
 * another moment: so often one looks without being told.
 */
const RECHECK_MS = 100;

/**
 * Waits until `done` says true; it is asked at first, and whenever the file has changed.
 *
 * @returns false when `timeoutMs` passed
 */
export function waitForEvents(directory: string, done: () => boolean, timeoutMs: number): boolean {
  const end = performance.now() + timeoutMs;
  for (;;) {
    // Opened and read before the question: a change after it is one that wakes us.
    const fd = openEvents(directory);
    try {
      if (done()) return true;
      const left = end - performance.now();
      if (left <= 0) return false;
      poll(fd === undefined ? [] : [{ fd, events: POLL.PRI }], Math.min(left, RECHECK_MS));
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }
}

/** The file, read; undefined when there is none (any more). */
function openEvents(directory: string): number | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(`${directory}/cgroup.events`, constants.O_RDONLY);
    readSync(fd, new Uint8Array(256), 0, 256, null);
    return fd;
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENODEV') return undefined;
    throw error;
  }
}
