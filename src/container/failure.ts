/**
 * From what the executor reported to one line for the user: the config field, the system call with its arguments, the
 * errno in words, and what usually helps.
 *
 * @module
 */

import { errnoName, errnoText } from '../../ffi/constants/index.ts';
import { describeCall } from '../../ffi/format.ts';
import type { Op, Program } from '../../ffi/program.ts';
import type { Report } from '../../ffi/report.ts';
import { RuntsError } from '../errors.ts';
import { readToldText, TAG, TOLD_FIELD } from '../plan/protocol.ts';
import { SECCOMP_FIELD } from '../plan/seccomp.ts';
import { remedy } from './remedies.ts';

/**
 * The error for a report that is not what the parent waited for.
 *
 * @param what - what could not be done, when it wasn't the start of a process of the container
 */
export function initFailure(
  report: Report | null,
  program: Program,
  args: readonly string[],
  what?: string,
): RuntsError {
  if (report === null) {
    const dead = what === undefined ? 'container init died' : `${what}: the executor died`;
    return new RuntsError('E_INIT', `${dead} before it was ready`, {
      hint: 'killed from outside, or for lack of memory: see dmesg',
    });
  }
  if (report.type === 'note' && report.tag === TAG.NOT_FOUND) return commandNotFound(args[0] ?? '');
  if (report.type !== 'fail') {
    return new RuntsError('E_INTERNAL', `the executor refused its tape: ${JSON.stringify(report)}`);
  }
  const { op, detail, values } = located(program.ops[report.index], report.text);
  const errno = errnoName(report.errno);
  const words = errnoText(report.errno);
  if (op?.field === 'process.args' || op?.field === 'process.args[0]')
    return commandFailure(args[0] ?? '', op, errno, words);
  const call =
    op === undefined
      ? `operation ${report.index}`
      : op.kind === 'fail'
        ? (op.note ?? '')
        : describeCall(op, values);
  const field = op?.field;
  const syscall = op?.kind === 'syscall' ? op.name : undefined;
  const hint = op === undefined ? undefined : remedy(op, errno);
  return new RuntsError(
    'E_INIT',
    `${what ?? 'unable to start container process'}: ${field === undefined ? '' : `${field}: `}${call}: ${words} (${errno})${detail === '' ? '' : `: ${detail}`}`,
    { field, syscall, errno, hint },
  );
}

/** The operation with what its report's text says about it. */
function located(
  op: Op | undefined,
  report: string,
): { op: Op | undefined; detail: string; values?: Record<string, string> } {
  const text = report.replace(/\0+$/, '').trim();
  if (op === undefined) return { op, detail: text };
  // A text that is the field is for a reader who hasn't got the program.
  if (op.field !== TOLD_FIELD) return { op, detail: text === op.field ? '' : text };
  const { field, path } = readToldText(text);
  const shown = JSON.stringify(path);
  // Cells that hold the address of the path, or of a part of it.
  return {
    op: { ...op, field },
    detail: op.kind === 'fail' ? shown : '',
    values: { description: shown, step: shown },
  };
}

function commandNotFound(command: string): RuntsError {
  return new RuntsError(
    'E_EXEC',
    `unable to start container process: exec: ${JSON.stringify(command)}: executable file not found in $PATH`,
    {
      field: 'process.args[0]',
      errno: 'ENOENT',
      hint: 'process.args[0]: no folder of process.env’s PATH has it in this rootfs',
    },
  );
}

/** Texts by which Docker and Podman choose the exit codes 126 and 127. */
function commandFailure(command: string, op: Op, errno: string, words: string): RuntsError {
  const syscall = op.kind === 'syscall' ? op.name : undefined;
  const hint =
    errno === 'ENOENT'
      ? syscall === 'execve'
        ? 'the file is there, so its interpreter or dynamic loader is missing in the rootfs'
        : 'process.args[0]: this rootfs has no such file'
      : errno === 'ENOEXEC'
        ? 'made for another machine, or a script without #! line'
        : errno === 'EACCES'
          ? op.kind === 'fail'
            ? 'it is a folder'
            : 'not executable for the container’s user, or on a mount with noexec'
          : errno === 'E2BIG'
            ? 'process.args and process.env together may take a quarter of RLIMIT_STACK, 6 MiB at most, and each string 128 KiB'
            : undefined;
  const name = command.includes('/') ? `exec ${command}` : `exec: ${JSON.stringify(command)}`;
  return new RuntsError('E_EXEC', `unable to start container process: ${name}: ${words}`, {
    field: 'process.args[0]',
    syscall,
    errno,
    hint,
  });
}

/**
 * The failure of execve, or of what comes right before it, as `start` learns of it.
 *
 * @param field - the report's text: the config field of what failed, or empty for execve itself
 */
export function execFailure(errno: number, args: readonly string[], field = ''): RuntsError {
  const name = errnoName(errno);
  if (field !== SECCOMP_FIELD) {
    return commandFailure(
      args[0] ?? '',
      { kind: 'syscall', name: 'execve', args: [] },
      name,
      errnoText(errno),
    );
  }
  const op: Op = { kind: 'syscall', name: 'seccomp', args: [], field };
  return new RuntsError(
    'E_INIT',
    `unable to start container process: ${field}: seccomp: ${errnoText(errno)} (${name})`,
    { field, syscall: op.name, errno: name, hint: remedy(op, name) },
  );
}
