/**
 * The assembler: a symbolic program becomes a tape, and a tape becomes a process image.
 *
 * @module
 */

import { RuntsError } from '../src/errors.ts';
import { IMAGE } from './abi.ts';
import type { Op, Program } from './program.ts';
import type { Machine } from './syscalls.ts';
import type { Tape, TapeDescriptors } from './tape-operations.ts';
import { programError, TapeWriter } from './tape-writer.ts';

export type { Tape, TapeDescriptors } from './tape-operations.ts';
export { TapeWriter } from './tape-writer.ts';

export interface AssembleOptions extends TapeDescriptors {
  machine: Machine;
}

/** ELF header and four program headers. */
const HEADERS_SIZE = 64 + 4 * 56;

/**
 * Turns a program into a tape.
 *
 * @throws {RuntsError} E_CONFIG_INVALID for a string with a NUL; E_UNSUPPORTED for a system call that the machine
 * lacks; E_INTERNAL for a program that the executor would refuse
 */
export function assemble(program: Program, options: AssembleOptions): Tape {
  const { ops } = program;
  const writer = new TapeWriter(options.machine, program.cells);
  for (const op of ops) {
    checkReferences(op, ops.length, options.fds);
    writer.append(op);
  }
  checkEnd(ops);
  return writer.finish(options);
}

/**
 * The file that is executed: the executor, then the tape, with the tape's sizes in the executor's program headers.
 *
 * @param executorElf - the file that scripts/build-executor.mjs made
 * @throws {RuntsError} E_INSTALL for a file that can't be an executor
 */
export function image(executorElf: Uint8Array, { bytes, cellsSize }: Tape): Uint8Array {
  if (executorElf.length > IMAGE.TAPE_OFFSET || executorElf.length < HEADERS_SIZE)
    throw new RuntsError('E_INSTALL', `the executor's file is damaged: ${executorElf.length} bytes`);
  let file: Uint8Array;
  if (
    bytes.byteOffset === IMAGE.TAPE_OFFSET &&
    bytes.buffer.byteLength === IMAGE.TAPE_OFFSET + bytes.length
  ) {
    // From a writer, which leaves room in front of a tape: nothing to copy.
    file = new Uint8Array(bytes.buffer);
    file.fill(0, executorElf.length, IMAGE.TAPE_OFFSET);
  } else {
    file = new Uint8Array(IMAGE.TAPE_OFFSET + bytes.length);
    file.set(bytes, IMAGE.TAPE_OFFSET);
  }
  file.set(executorElf);
  // The high halves are 0 in the executor's file.
  const headers = new Int32Array(file.buffer, 0, HEADERS_SIZE / 4);
  headers[IMAGE.TAPE_FILESZ / 4] = bytes.length;
  headers[IMAGE.TAPE_MEMSZ / 4] = bytes.length;
  headers[IMAGE.CELLS_MEMSZ / 4] = cellsSize;
  return file;
}

/** What a symbolic program refers to must be there; a writer can tell only at the end, without the operation. */
function checkReferences(op: Op, count: number, fds: AssembleOptions['fds']): void {
  const mistake = (problem: string): RuntsError =>
    programError(op.kind === 'syscall' ? op.name : op.kind, op.field, problem);
  const label = op.kind === 'jump' ? op.target : op.kind === 'syscall' && op.tolerate ? op.goto : undefined;
  if (label !== undefined) {
    if (label.index < 0) throw mistake(`goes to the label ${label.name}, which is nowhere`);
    if (label.index >= count) throw mistake(`goes to the label ${label.name}, behind the last operation`);
  }
  for (const arg of op.args) {
    if (typeof arg !== 'object' || arg === null || arg.kind !== 'fd' || fds[arg.name] !== undefined) continue;
    throw mistake(`uses the descriptor ${arg.name}, which is not handed over`);
  }
}

/** The executor refuses a program that could run past its end. */
function checkEnd(ops: readonly Op[]): void {
  const last = ops.at(-1);
  if (last === undefined) throw new RuntsError('E_INTERNAL', 'tape: a program without operations');
  if (last.kind === 'fail' || (last.kind === 'jump' && last.condition === 'always')) return;
  if (last.kind === 'syscall' && last.name === 'exit_group') return;
  throw programError(
    last.kind === 'syscall' ? last.name : last.kind,
    last.field,
    'is the last operation; that must be fail, an unconditional jump or exit_group',
  );
}
