/**
 * Reading files that somebody else chose: an image's /etc/passwd can be a FIFO that nobody writes to, or a link to
 * /dev/zero.
 *
 * @module
 */

import { closeSync, constants, fstatSync, openSync, readSync } from '#files';
import { concatBytes, fromUtf8 } from '../../ffi/text.ts';

/** More than the largest passwd in use. */
const LIMIT = 1 << 22;

/** The text of an open descriptor's file, at most 4 MiB of it; undefined unless it is a regular file. */
export function readRegular(fd: number): string | undefined {
  if (!fstatSync(fd).isFile()) return undefined;
  // Its size is not asked for: it may be a file of a file system that has none to tell.
  const chunks: Uint8Array[] = [];
  for (let total = 0; total < LIMIT; ) {
    const chunk = new Uint8Array(65536);
    const length = readSync(fd, chunk, 0, Math.min(chunk.length, LIMIT - total), null);
    if (length === 0) break;
    chunks.push(chunk.subarray(0, length));
    total += length;
  }
  return fromUtf8(concatBytes(chunks));
}

/** As {@link readRegular}, by path; never waits for the other end of a FIFO. */
export function readRegularFile(path: string): string | undefined {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    return readRegular(fd);
  } finally {
    closeSync(fd);
  }
}
