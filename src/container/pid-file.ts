/**
 * `--pid-file`.
 *
 * @module
 */

import { renameSync, unlinkSync, writeFileSync } from '#files';
import { errnoText } from '../cli/present.ts';
import { errnoOf, RuntsError } from '../errors.ts';
import { basename, dirname, join } from '../paths.ts';

/** Digits only, and complete from the first moment on: callers parse it as soon as it is there. */
export function writePidFile(path: string, pid: number): void {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}`);
  try {
    writeFileSync(temporary, String(pid), { flag: 'wx', mode: 0o644 });
    renameSync(temporary, path);
  } catch (error) {
    try {
      unlinkSync(temporary);
    } catch {
      // it was never made
    }
    throw new RuntsError('E_SYSCALL', `--pid-file: write ${path}: ${errnoText(error)}`, {
      syscall: 'write',
      errno: errnoOf(error),
      cause: error,
    });
  }
}
