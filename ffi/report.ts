/**
 * Reading what the executor reports. abi.ts documents the messages.
 *
 * @module
 */

import { RuntsError } from '../src/errors.ts';
import { MESSAGE, TYPE } from './abi.ts';
import { ERRNO } from './constants/errno.ts';
import { POLL, poll } from './descriptors.ts';
import { syscallError, trySyscall } from './local.ts';

/** A message of the executor. */
export type Report =
  | {
      type: 'fail';
      /** Index of the operation that failed. */
      index: number;
      /** Positive. */
      errno: number;
      text: string;
    }
  | {
      type: 'note';
      /** Index of the operation that sent it. */
      index: number;
      tag: number;
      /** A bigint beyond 2^53. */
      value: number | bigint;
      text: string;
    }
  | {
      type: 'refused';
      /** Index of the operation, or INDEX_HEADER. */
      index: number;
      /** REASON of abi.ts. */
      reason: number;
      text: string;
    };

/**
 * Waits for the next message, blocking the thread.
 *
 * @param fd - what the executor writes to
 * @param kind - a SOCK_SEQPACKET socket, or a FIFO, where messages follow each other without bounds
 * @returns null at the end: every process that could have written is gone, or has executed its program
 * @throws RuntsError E_SYSCALL when it can't be read; E_INTERNAL for bytes that are no message
 */
export function readReport(fd: number, kind: 'socket' | 'fifo' = 'socket'): Report | null {
  const buffer = new Uint8Array(MESSAGE.SIZE + MESSAGE.TEXT_LIMIT);
  if (kind === 'socket') {
    const length = read(fd, buffer);
    return length === 0 ? null : parseReport(buffer.subarray(0, length));
  }
  const header = readFully(fd, buffer.subarray(0, MESSAGE.SIZE));
  if (header === 0) return null;
  const textLength = new DataView(buffer.buffer).getUint32(MESSAGE.TEXT_LENGTH, true);
  const end = Math.min(MESSAGE.SIZE + textLength, buffer.length);
  const text = header === MESSAGE.SIZE ? readFully(fd, buffer.subarray(MESSAGE.SIZE, end)) : 0;
  return parseReport(buffer.subarray(0, header + text));
}

function readFully(fd: number, buffer: Uint8Array): number {
  let length = 0;
  while (length < buffer.length) {
    const got = read(fd, buffer.subarray(length));
    if (got === 0) break;
    length += got;
  }
  return length;
}

function read(fd: number, buffer: Uint8Array): number {
  const args = [fd, buffer, buffer.length] as const;
  for (;;) {
    const result = trySyscall('read', args);
    if (result >= 0) return result;
    if (result === -ERRNO.EAGAIN) poll([{ fd, events: POLL.IN }]);
    // A Unix socket whose other end went away without reading all that we sent says ECONNRESET, once, and before the
    // messages that are still to be read.
    else if (result !== -ERRNO.EINTR && result !== -ERRNO.ECONNRESET) {
      throw syscallError('read', args, -result, { what: 'cannot read the report of the executor' });
    }
  }
}

/**
 * Parses one message.
 *
 * @throws RuntsError E_INTERNAL
 */
export function parseReport(bytes: Uint8Array): Report {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < MESSAGE.SIZE) throw malformed(`${bytes.length} bytes`);
  const type = view.getUint32(MESSAGE.TYPE, true);
  const index = view.getUint32(MESSAGE.INDEX, true);
  const a = Number(view.getBigInt64(MESSAGE.A, true));
  const length = view.getUint32(MESSAGE.TEXT_LENGTH, true);
  if (bytes.length !== MESSAGE.SIZE + length) throw malformed(`${bytes.length} bytes with ${length} of text`);
  const text = length === 0 ? '' : new TextDecoder().decode(bytes.subarray(MESSAGE.SIZE));
  switch (type) {
    case TYPE.FAIL:
      return { type: 'fail', index, errno: a, text };
    case TYPE.NOTE: {
      const value = view.getBigInt64(MESSAGE.B, true);
      const small = Number(value);
      return { type: 'note', index, tag: a, value: Number.isSafeInteger(small) ? small : value, text };
    }
    case TYPE.REFUSED:
      return { type: 'refused', index, reason: a, text };
    default:
      throw malformed(`type ${type}`);
  }
}

function malformed(what: string): RuntsError {
  return new RuntsError('E_INTERNAL', `the executor sent something that is no message: ${what}`);
}
