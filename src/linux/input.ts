/**
 * What comes through a pipe, or from whatever standard input is.
 *
 * @module
 */

import { readSync } from '#files';
import { POLL, poll } from '../../ffi/descriptors.ts';
import { concatBytes } from '../../ffi/text.ts';
import { errnoOf } from '../errors.ts';

const PIECE = 65_536;

/**
 * Reads to the end. A descriptor that does not block is waited for: what writes to it may come later.
 *
 * @param most - bytes; what follows them is left, but for a piece that shows that there is more
 */
export function readToEnd(fd: number, most: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  let size = 0;
  while (size <= most) {
    const piece = new Uint8Array(PIECE);
    let length: number;
    try {
      length = readSync(fd, piece, 0, PIECE, null);
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN') throw error;
      poll([{ fd, events: POLL.IN }]);
      continue;
    }
    if (length === 0) break;
    pieces.push(piece.subarray(0, length));
    size += length;
  }
  return concatBytes(pieces);
}
