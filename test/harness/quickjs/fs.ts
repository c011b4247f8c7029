/**
 * node:fs for test programs under QuickJS: the product's own, and what only tests use.
 *
 * @module
 */

import { mkdirSync, openSync as open, readSync as read } from '../../../ffi/files.ts';

export * from '../../../ffi/files.ts';

const O_RDWR = 2;

export function openSync(path: string, flags: number | 'r' | 'r+', mode?: number): number {
  return open(path, flags === 'r+' ? O_RDWR : flags, mode);
}

export function readSync(
  fd: number,
  into: Uint8Array,
  at = 0,
  length = into.length,
  from: null = null,
): number {
  return read(fd, into, at, length, from);
}

let made = 0;

export function mkdtempSync(prefix: string): string {
  const path = `${prefix}${process.pid}-${made++}`;
  mkdirSync(path, 0o700);
  return path;
}
