/**
 * The assembler: a symbolic program becomes the bytes of a tape, and a tape becomes a process image.
 *
 * Every command that starts a container comes through here with a few hundred operations, before any of its code is
 * compiled: the loop over the operations is written for an interpreter. abi.ts documents the format.
 *
 * @module
 */

import { RuntsError } from '../src/errors.ts';
import {
  ARG,
  CONDITION,
  ERRNO_ANY,
  HEADER,
  IMAGE,
  KIND,
  MACHINE,
  MAGIC,
  MESSAGE,
  OP,
  OPERATOR,
  VERSION,
} from './abi.ts';
import { ERRNO, type ErrnoName } from './constants/errno.ts';
import type { Arg, Cell, Condition, Label, Op, Program, SetOperator, SyscallOp } from './program.ts';
import { type Machine, SYSCALLS, type SyscallName } from './syscalls.ts';
import { cellOffset, DataPool, programError, roundUp, writeInteger } from './tape-data.ts';

/** A program in the executor's format. */
export interface Tape {
  readonly bytes: Uint8Array;
  /** Bytes of zeroed memory that the program needs; a multiple of 8, at least 8. */
  readonly cellsSize: number;
  /** Where each cell is in that memory. */
  readonly cellOffsets: ReadonlyMap<Cell, number>;
}

export interface AssembleOptions {
  machine: Machine;
  /** Numbers of the descriptors that the program calls by name. */
  fds: Readonly<Record<string, number>>;
  /** Descriptor for the executor's messages. */
  reportFd: number;
}

const CONDITION_NUMBERS: Readonly<Record<Condition, number>> = {
  always: CONDITION.ALWAYS,
  '==': CONDITION.EQUAL,
  '!=': CONDITION.NOT_EQUAL,
  '<': CONDITION.LESS,
  '>=': CONDITION.NOT_LESS,
  '&': CONDITION.AND,
};
const OPERATOR_NUMBERS: Readonly<Record<SetOperator, number>> = {
  '': OPERATOR.COPY,
  '+': OPERATOR.ADD,
  '&': OPERATOR.AND,
  '|': OPERATOR.OR,
  '<<': OPERATOR.SHIFT_LEFT,
  '>>': OPERATOR.SHIFT_RIGHT,
};

const HEADER_WORDS = HEADER.SIZE / 4;
const OP_WORDS = OP.SIZE / 4;
const ARG_WORD = OP.ARG / 4;
/** ELF header and four program headers. */
const HEADERS_SIZE = 64 + 4 * 56;

/**
 * Turns a program into a tape.
 *
 * @throws {RuntsError} E_CONFIG_INVALID for a string with a NUL; E_UNSUPPORTED for a system call that the machine
 * lacks; E_INTERNAL for a program that the executor would refuse
 */
export function assemble(program: Program, options: AssembleOptions): Tape {
  // Nearly every program is ASCII, where a string is as long as its encoding; whether it was shows when all strings
  // are encoded at once.
  return (
    attempt(program, options, (string) => string.length) ?? attempt(program, options, Buffer.byteLength)!
  );
}

/** @returns undefined when `byteLength` was wrong for some string */
function attempt(
  program: Program,
  options: AssembleOptions,
  byteLength: (string: string) => number,
): Tape | undefined {
  const { ops } = program;
  const cellOffsets = new Map<Cell, number>();
  let cellsSize = 0;
  for (const cell of program.cells) {
    cellOffsets.set(cell, cellsSize);
    cellsSize += roundUp(cell.size);
  }
  if (cellsSize === 0) cellsSize = 8;
  const dataOffset = HEADER.SIZE + ops.length * OP.SIZE;
  const data = new DataPool(dataOffset, cellOffsets, options.fds, byteLength);
  // Header and operations as 32-bit words: everything in them is little endian, and so are the machines.
  const words = new Int32Array(HEADER_WORDS + ops.length * OP_WORDS);
  assembleOps(ops, options.machine, words, cellOffsets, data);
  checkEnd(ops);
  words[HEADER.MAGIC / 4] = MAGIC;
  words[HEADER.VERSION / 4] = VERSION | ((options.machine === 'arm64' ? MACHINE.ARM64 : MACHINE.X64) << 16);
  words[HEADER.OP_COUNT / 4] = ops.length;
  words[HEADER.DATA_OFFSET / 4] = dataOffset;
  words[HEADER.TAPE_SIZE / 4] = data.tapeSize();
  words[HEADER.CELLS_SIZE / 4] = cellsSize;
  words[HEADER.REPORT_FD / 4] = options.reportFd;
  const bytes = data.link(words, IMAGE.TAPE_OFFSET);
  if (bytes === undefined) return undefined;
  return { bytes, cellsSize, cellOffsets };
}

/**
 * The file that is executed: the executor, then the tape, with the tape's sizes in the executor's program headers.
 *
 * @param executorElf - the file that scripts/build-executor.mjs made
 * @throws {RuntsError} E_INSTALL for a file that can't be an executor
 */
export function image(executorElf: Uint8Array, tape: Pick<Tape, 'bytes' | 'cellsSize'>): Uint8Array {
  if (executorElf.length > IMAGE.TAPE_OFFSET || executorElf.length < HEADERS_SIZE)
    throw new RuntsError('E_INSTALL', `the executor's file is damaged: ${executorElf.length} bytes`);
  const { bytes } = tape;
  let file: Uint8Array;
  if (
    bytes.byteOffset === IMAGE.TAPE_OFFSET &&
    bytes.buffer.byteLength === IMAGE.TAPE_OFFSET + bytes.length
  ) {
    // From assemble(), which leaves room in front of a tape: nothing to copy.
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
  headers[IMAGE.CELLS_MEMSZ / 4] = tape.cellsSize;
  return file;
}

function assembleOps(
  ops: readonly Op[],
  machine: Machine,
  words: Int32Array,
  cells: ReadonlyMap<Cell, number>,
  data: DataPool,
): void {
  const syscalls = new Map<SyscallName, { nr: number; arity: number }>();
  for (let index = 0; index < ops.length; index++) {
    const op = ops[index]!;
    const { args } = op;
    const at = HEADER_WORDS + index * OP_WORDS;
    let arity: number;
    if (op.kind === 'syscall') {
      let syscall = syscalls.get(op.name);
      if (syscall === undefined) {
        syscall = lookUp(op, machine);
        syscalls.set(op.name, syscall);
      }
      words[at] = KIND.SYSCALL | (syscall.nr << 16);
      arity = syscall.arity;
      if (op.store !== undefined) words[at + OP.STORE / 4] = cellOffset(cells, op, op.store, 0, 8) + 1;
      if (op.tolerate !== undefined) writePolicy(words, at, op, index, ops.length);
      else if (op.goto !== undefined) throw programError(op, 'has a goto but tolerates no errno');
    } else {
      arity = writeOther(words, at, op, ops.length, cells);
    }
    if (args.length > arity) throw programError(op, `takes ${arity} arguments, not ${args.length}`);
    let argKinds = 0;
    let word = at + ARG_WORD;
    for (let k = 0; k < args.length; k++, word += 2) {
      const arg = args[k]!;
      if (typeof arg === 'number') {
        if ((arg | 0) !== arg) writeInteger(words, word, op, arg);
        else if (arg !== 0) {
          words[word] = arg;
          if (arg < 0) words[word + 1] = -1;
        }
      } else if (typeof arg === 'string') {
        words[word] = data.string(op, arg);
        argKinds |= ARG.DATA << (2 * k);
      } else if (arg !== null) {
        argKinds |= writeReference(words, word, op, arg, cells, data) << (2 * k);
      }
    }
    if (argKinds !== 0) words[at + 1] = argKinds;
    if (op.kind === 'notify') writeTextLength(words, at + ARG_WORD, op, 2, data);
    else if (op.kind === 'fail') writeTextLength(words, at + ARG_WORD, op, 0, data);
  }
}

/** An operation that is no system call: everything but its arguments. Returns how many it takes. */
function writeOther(
  words: Int32Array,
  at: number,
  op: Exclude<Op, SyscallOp>,
  opCount: number,
  cells: ReadonlyMap<Cell, number>,
): number {
  switch (op.kind) {
    case 'jump':
      words[at] = KIND.JUMP | (CONDITION_NUMBERS[op.condition] << 16);
      words[at + OP.TARGET / 4] = placed(op, op.target, opCount);
      return 2;
    case 'set':
      words[at] = KIND.SET | (OPERATOR_NUMBERS[op.operator] << 16);
      words[at + OP.STORE / 4] = cellOffset(cells, op, op.store, op.storeOffset, 8) + 1;
      return 2;
    case 'notify':
      words[at] = KIND.NOTIFY;
      return 4;
    case 'fail':
      words[at] = KIND.FAIL;
      return 3;
    case 'reportTo':
      words[at] = KIND.REPORT_TO;
      return 1;
  }
}

/** An argument that isn't a number or a string. Returns its kind. */
function writeReference(
  words: Int32Array,
  word: number,
  op: Op,
  arg: Exclude<Arg, number | string | null>,
  cells: ReadonlyMap<Cell, number>,
  data: DataPool,
): number {
  if (typeof arg === 'bigint') {
    writeInteger(words, word, op, arg);
    return ARG.IMMEDIATE;
  }
  switch (arg.kind) {
    case 'cellValue':
      words[word] = cellOffset(cells, op, arg.cell, arg.offset, 8);
      return ARG.VALUE;
    case 'cellAddress':
      words[word] = cellOffset(cells, op, arg.cell, arg.offset, 1);
      return ARG.CELL;
    case 'fd':
      writeInteger(words, word, op, data.fd(op, arg));
      return ARG.IMMEDIATE;
    default:
      words[word] = data.blob(op, arg, word);
      return ARG.DATA;
  }
}

/** A literal text whose length is left out (0) is sent whole. */
function writeTextLength(words: Int32Array, word: number, op: Op, index: number, data: DataPool): void {
  const text = op.args[index];
  if (typeof text !== 'string' || (op.args[index + 1] ?? 0) !== 0) return;
  words[word + 2 * (index + 1)] = Math.min(data.byteLength(text), MESSAGE.TEXT_LIMIT);
}

function lookUp(op: SyscallOp, machine: Machine): { nr: number; arity: number } {
  const { [machine]: nr, parameters } = SYSCALLS[op.name];
  if (nr < 0) throw new RuntsError('E_UNSUPPORTED', `${machine} has no system call ${op.name}`);
  return { nr, arity: Object.keys(parameters).length };
}

/** The errnos that are no failure, and where the program goes on after one. */
function writePolicy(words: Int32Array, at: number, op: SyscallOp, index: number, opCount: number): void {
  const errnos = op.tolerate!;
  const word = at + OP.ERRNOS / 4;
  if (errnos === 'any') {
    words[word] = ERRNO_ANY;
  } else {
    if (errnos.length === 0 || errnos.length > 4)
      throw programError(op, `tolerates ${errnos.length} errnos, not 1 to 4`);
    for (let i = 0; i < errnos.length; i++) {
      const errno = ERRNO[errnos[i] as ErrnoName] as number | undefined;
      if (errno === undefined) throw programError(op, `tolerates an unknown errno: ${errnos[i]}`);
      words[word + (i >> 1)]! |= errno << (16 * (i & 1));
    }
  }
  words[at + OP.TARGET / 4] = op.goto === undefined ? index + 1 : placed(op, op.goto, opCount);
}

function placed(op: Op, label: Label, opCount: number): number {
  if (label.index < 0) throw programError(op, `goes to the label ${label.name}, which is nowhere`);
  if (label.index >= opCount)
    throw programError(op, `goes to the label ${label.name}, behind the last operation`);
  return label.index;
}

/** The executor refuses a program that could run past its end. */
function checkEnd(ops: readonly Op[]): void {
  const last = ops.at(-1);
  if (last === undefined) throw new RuntsError('E_INTERNAL', 'tape: a program without operations');
  if (last.kind === 'fail' || (last.kind === 'jump' && last.condition === 'always')) return;
  if (last.kind === 'syscall' && last.name === 'exit_group') return;
  throw programError(last, 'is the last operation; that must be fail, an unconditional jump or exit_group');
}
