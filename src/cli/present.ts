/**
 * How a failure is shown: one message and one stable code for whatever was thrown.
 *
 * @module
 */

import { type ErrorCode, errnoOf, RuntsError } from '../errors.ts';

/** A failure as the log and the user see it. */
export interface Presented {
  code: ErrorCode;
  message: string;
  /** The exit code that the failure itself asks for. */
  exitCode?: number;
  /** Where it happened; for `--debug` only. */
  stack?: string;
}

/**
 * The kernel's words where Node's differ. Docker and Podman choose exit codes 126 and 127 by these words
 * (`is a directory`, `permission denied`), so they must be strerror's.
 */
const ERRNO_TEXT: Readonly<Record<string, string>> = {
  EBUSY: 'device or resource busy',
  EEXIST: 'file exists',
  EFBIG: 'file too large',
  EINVAL: 'invalid argument',
  EIO: 'input/output error',
  EISDIR: 'is a directory',
  ELOOP: 'too many levels of symbolic links',
  ENAMETOOLONG: 'file name too long',
  ENOSPC: 'no space left on device',
  ENOTEMPTY: 'directory not empty',
  EXDEV: 'invalid cross-device link',
};

/** The words for a system error's errno, e.g. `no such file or directory`. */
export function errnoText(error: unknown): string {
  const errno = errnoOf(error);
  if (errno === undefined) return error instanceof Error ? error.message : String(error);
  const own = Object.hasOwn(ERRNO_TEXT, errno) ? ERRNO_TEXT[errno] : undefined;
  if (own !== undefined) return own;
  // Both engines write "ENOENT: no such file or directory, open '/x'".
  const words = /^[A-Z0-9]+: ([^,]+)/.exec((error as Error).message)?.[1];
  return words ?? errno;
}

/** True for an error that Node or ffi/files.ts made from a failed system call. */
function isSystemError(error: unknown): error is Error & { syscall: string; path?: string; dest?: string } {
  return errnoOf(error) !== undefined && 'syscall' in (error as Error);
}

/** A failed system call in Go's order of words, `open /x: permission denied`, which callers match. */
function systemErrorText(error: Error & { syscall: string; path?: string; dest?: string }): string {
  const { syscall, path, dest } = error;
  const target = path === undefined ? '' : dest === undefined ? ` ${path}` : ` ${path} ${dest}`;
  return `${syscall}${target}: ${errnoText(error)}`;
}

/** Turns whatever was thrown into what the user sees. */
export function present(error: unknown): Presented {
  const stack = error instanceof Error ? error.stack : undefined;
  if (error instanceof RuntsError) {
    return { code: error.code, message: error.message, exitCode: error.details.exitCode, stack };
  }
  if (isSystemError(error)) return { code: 'E_SYSCALL', message: systemErrorText(error), stack };
  const text = error instanceof Error ? error.message : String(error);
  return {
    code: 'E_INTERNAL',
    message: `internal error: ${text} (this is a bug of runts; --debug shows where)`,
    stack,
  };
}
