/**
 * The local transport: system calls of this process, by number.
 *
 * The other transport, a tape for the executor, is tape.ts. Both know a call by its name in syscalls.ts.
 *
 * @module
 */

import { CHECKS_STRINGS } from '#native';
import type { ErrorCode } from '../src/errors.ts';
import { RuntsError } from '../src/errors.ts';
import { ERRNO, errnoName, errnoText } from './constants/errno.ts';
import { currentMachine } from './engine.ts';
import { formatArg, parameters } from './format-args.ts';
import type { NativeArg } from './native.ts';
import { callKernel } from './native.ts';
import type { Arg } from './program.ts';
import type { Machine, SyscallName } from './syscalls.ts';
import { SYSCALLS } from './syscalls.ts';

/** What an error says beside the call itself. */
export interface FailureContext {
  /** `E_SYSCALL` unless something more telling fits. */
  code?: ErrorCode;
  /** Path of the config field that the call serves. */
  field?: string;
  /** What the user can do about it; by errno where the remedy depends on it. */
  hint?: string | Readonly<Record<string, string>>;
  /** Stands before the call in the message: `cannot connect to the console socket`. */
  what?: string;
}

let machine: Machine | undefined;

/**
 * Makes a system call and leaves its failure to the caller.
 *
 * @returns the result, or the negative errno
 */
export function trySyscall(name: SyscallName, args: readonly NativeArg[]): number {
  if (!CHECKS_STRINGS) refuseNuls(name, args);
  machine ??= currentMachine();
  const result = callKernel(SYSCALLS[name][machine], args);
  if (CHECKS_STRINGS && result === -ERRNO.EINVAL) refuseNuls(name, args);
  return result;
}

/**
 * Makes a system call.
 *
 * @param args - in the order of the manual page; what is left out is 0, and null is the address 0
 * @throws RuntsError (E_SYSCALL unless `context` says otherwise) with `details.syscall` and `details.errno`
 */
export function syscall(name: SyscallName, args: readonly NativeArg[], context?: FailureContext): number {
  const result = trySyscall(name, args);
  if (result < 0) throw syscallError(name, args, -result, context);
  return result;
}

/** {@link syscall}, again and again while a signal interrupts it. */
export function restartingSyscall(
  name: SyscallName,
  args: readonly NativeArg[],
  context?: FailureContext,
): number {
  for (;;) {
    const result = trySyscall(name, args);
    if (result >= 0) return result;
    if (result !== -ERRNO.EINTR) throw syscallError(name, args, -result, context);
  }
}

/**
 * The error for a system call that failed in this process.
 *
 * @param failure - errno, positive
 */
export function syscallError(
  name: SyscallName,
  args: readonly NativeArg[],
  failure: number,
  context: FailureContext = {},
): RuntsError {
  const named = errnoName(failure);
  const call = `${formatCall(name, args)}: ${errnoText(failure)} (${named})`;
  const hint = typeof context.hint === 'object' ? context.hint[named] : context.hint;
  const prefix = [context.field, context.what]
    .filter((part) => part !== undefined)
    .map((part) => `${part}: `);
  return new RuntsError(context.code ?? 'E_SYSCALL', `${prefix.join('')}${call}`, {
    field: context.field,
    syscall: name,
    errno: named,
    hint: hint ?? generalHint(name, named),
  });
}

/** Whether an error is the failure of a system call with one of these errnos. */
export function failedWith(error: unknown, ...errnos: readonly string[]): boolean {
  return (
    error instanceof RuntsError && error.details.errno !== undefined && errnos.includes(error.details.errno)
  );
}

/** A call as a reader of strace(1) knows it: `openat(AT_FDCWD, "/etc", O_RDONLY|O_CLOEXEC)`. */
function formatCall(name: SyscallName, args: readonly NativeArg[]): string {
  const symbolic = args.map((arg): Arg => {
    return arg !== null && typeof arg === 'object'
      ? { kind: 'bytes', bytes: new Uint8Array(), text: `[${arg.byteLength} bytes]` }
      : arg;
  });
  const types = parameters(name, symbolic);
  return `${name}(${symbolic.map((arg, index) => formatArg(arg, types[index]?.[1] ?? 'int', { brief: true })).join(', ')})`;
}

function refuseNuls(name: SyscallName, args: readonly NativeArg[]): void {
  for (let index = 0; index < args.length; index++) refuseNul(name, args[index]!);
}

/** C would take a string with a NUL byte for a shorter one. */
function refuseNul(name: SyscallName, arg: NativeArg): void {
  if (typeof arg !== 'string' || !arg.includes('\0')) return;
  throw new RuntsError('E_SYSCALL', `${name}: ${JSON.stringify(arg)} contains a NUL byte`, {
    syscall: name,
    errno: 'EINVAL',
  });
}

function generalHint(name: SyscallName, errno: string): string | undefined {
  if (errno === 'ENOSYS') return `the kernel is older than ${name}, or a seccomp filter hides it`;
  if (errno === 'EMFILE') return 'raise the limit of open files: ulimit -n';
  if (errno === 'ENFILE') return 'raise the sysctl fs.file-max';
  return undefined;
}
