/**
 * Every failure that a user can see: one class with a stable `code`, and the texts that callers match.
 *
 * Container engines decide by substrings of these messages (containerd: `does not exist`, Docker: `permission
 * denied`), so a text here is an interface. The `code` is the one to rely on: it is printed in JSON log lines.
 *
 * @module
 */

/** Stable identifiers, printed as `code` in JSON log lines. Add, never rename. */
export type ErrorCode =
  | 'E_USAGE'
  | 'E_CONFIG_MISSING'
  | 'E_CONFIG_READ'
  | 'E_CONFIG_SYNTAX'
  | 'E_CONFIG_INVALID'
  | 'E_ID_INVALID'
  | 'E_ID_EXISTS'
  | 'E_NOT_FOUND'
  | 'E_STATE_CORRUPT'
  | 'E_WRONG_STATE'
  | 'E_NOT_RUNNING'
  | 'E_ROOT'
  | 'E_ROOTFS'
  | 'E_TTY'
  | 'E_FDS'
  | 'E_CGROUP'
  | 'E_HOOK'
  | 'E_INIT'
  | 'E_EXEC'
  | 'E_SYSCALL'
  | 'E_SIGNAL'
  | 'E_INTERRUPTED'
  | 'E_UNSUPPORTED'
  | 'E_INSTALL'
  | 'E_INTERNAL';

/** What is known of a failure beside its text. Everything is optional and already part of the message. */
export interface ErrorDetails {
  /** Path of the config field that the failure comes from, e.g. `mounts[2].options`. */
  field?: string;
  /** Name of the system call that failed. */
  syscall?: string;
  /** Symbolic errno, e.g. `ENOENT`. */
  errno?: string;
  /** What the user can do about it; printed after the message in parentheses. */
  hint?: string;
  /** Exit code of the command, when it isn't the command's default (1; 255 for exec). */
  exitCode?: number;
  cause?: unknown;
}

/** A failure with one clear line for the user. */
export class RuntsError extends Error {
  override readonly name = 'RuntsError';
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(details.hint === undefined ? message : `${message} (${details.hint})`);
    this.code = code;
    this.details = details;
  }
}

/** The errno name of a Node system error (`ENOENT`...), or undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}

// Texts that callers match. One function each, so that a text stands in one place.

/** containerd takes `does not exist` of a delete as success, of a kill as NotFound. */
export function notFound(id: string): RuntsError {
  return new RuntsError('E_NOT_FOUND', `container does not exist: ${id}`);
}

/** containerd and CRI-O take `container not running` of a kill as "already gone". */
export function notRunning(cause?: unknown): RuntsError {
  return new RuntsError('E_NOT_RUNNING', 'container not running', { cause });
}

export function idExists(id: string): RuntsError {
  return new RuntsError('E_ID_EXISTS', `container with given ID already exists: ${id}`);
}
