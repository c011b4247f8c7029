/**
 * Reading and writing the files of a cgroup.
 *
 * @module
 */

import { closeSync, constants, openSync, readFileSync, writeSync } from '#files';

/** Writes to an existing file of a cgroup. Without O_CREAT and O_TRUNC, so that a missing file is ENOENT. */
export function writeControl(path: string, value: string): void {
  const fd = openSync(path, constants.O_WRONLY);
  try {
    // A write of no bytes would not reach the kernel's parser.
    writeSync(fd, value === '' ? '\n' : value);
  } finally {
    closeSync(fd);
  }
}

/** The text of a file without the newline at the end; undefined when it can't be read. */
export function readControl(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1').trimEnd();
  } catch {
    return undefined;
  }
}

/** The words of a file such as cgroup.controllers; none when it can't be read. */
export function readWords(path: string): string[] {
  return (readControl(path) ?? '').split(/\s+/).filter((word) => word !== '');
}
