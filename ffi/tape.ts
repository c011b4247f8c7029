/**
 * The assembler: a symbolic program becomes the bytes of a tape, and a tape becomes a process image.
 *
 * Every command that starts a container comes through here with a few hundred operations, so the work is done in one
 * pass, in 32-bit words, with each string encoded once and all of them in one call. abi.ts documents the format.
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
import type {
  Arg,
  Bytes,
  Cell,
  CellAddress,
  CellValue,
  Condition,
  Errnos,
  HandedFd,
  Label,
  Op,
  Program,
  SetOperator,
  Words,
} from './program.ts';
import { type Machine, SYSCALLS, type SyscallName } from './syscalls.ts';

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

/** Numbers of the conditions and operators, in the order of program.ts. */
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

const TWO_32 = 0x100000000;
const OP_WORDS = OP.SIZE / 4;

/** What is known while a program is assembled. Offsets in words are into `ops` or `blobs`, in 32-bit words. */
interface Assembly {
  readonly options: AssembleOptions;
  readonly ops: Int32Array;
  readonly opCount: number;
  readonly dataOffset: number;
  readonly cellOffsets: Map<Cell, number>;
  readonly cellsSize: number;
  readonly syscalls: Map<SyscallName, { nr: number; arity: number }>;
  /** The strings so far, each with its NUL, and where each begins in the data. They come first in the data. */
  strings: string;
  stringsSize: number;
  readonly stringOffsets: Map<string, number>;
  /** Structures and other bytes; they come behind the strings, so what refers to them is corrected at the end. */
  blobs: Int32Array;
  blobWords: number;
  readonly blobOffsets: Map<Bytes | Words, number>;
  readonly opFixups: number[];
  readonly blobFixups: number[];
}

/**
 * Turns a program into a tape.
 *
 * @throws {RuntsError} E_CONFIG_INVALID for a string with a NUL; E_UNSUPPORTED for a system call that the machine
 * lacks; E_INTERNAL for a program that the executor would refuse
 */
export function assemble(program: Program, options: AssembleOptions): Tape {
  const opCount = program.ops.length;
  const dataOffset = HEADER.SIZE + opCount * OP.SIZE;
  const cellOffsets = new Map<Cell, number>();
  let cellsSize = 0;
  for (const cell of program.cells) {
    if (cellOffsets.has(cell)) continue;
    cellOffsets.set(cell, cellsSize);
    cellsSize += (cell.size + 7) & ~7;
  }
  const assembly: Assembly = {
    options,
    ops: new Int32Array(opCount * OP_WORDS),
    opCount,
    dataOffset,
    cellOffsets,
    cellsSize: Math.max(cellsSize, 8),
    syscalls: new Map(),
    strings: '',
    stringsSize: 0,
    stringOffsets: new Map(),
    blobs: new Int32Array(1024),
    blobWords: 0,
    blobOffsets: new Map(),
    opFixups: [],
    blobFixups: [],
  };
  for (let index = 0; index < opCount; index++) assembleOp(assembly, program.ops[index]!, index);
  checkEnd(program);
  return { bytes: link(assembly), cellsSize: assembly.cellsSize, cellOffsets };
}

/**
 * The file that is executed: the executor, then the tape, with the tape's sizes in the executor's program headers.
 *
 * @param executorElf - the file that scripts/build-executor.mjs made
 */
export function image(executorElf: Uint8Array, tape: Pick<Tape, 'bytes' | 'cellsSize'>): Uint8Array {
  if (executorElf.length > IMAGE.TAPE_OFFSET || executorElf.length < IMAGE.CELLS_MEMSZ + 8)
    throw new RuntsError('E_INSTALL', `executor: ${executorElf.length} bytes is not an executor's size`);
  const file = new Uint8Array(IMAGE.TAPE_OFFSET + tape.bytes.length);
  file.set(executorElf);
  file.set(tape.bytes, IMAGE.TAPE_OFFSET);
  // The high halves are 0 in the executor's file.
  const view = new DataView(file.buffer);
  view.setUint32(IMAGE.TAPE_FILESZ, tape.bytes.length, true);
  view.setUint32(IMAGE.TAPE_MEMSZ, tape.bytes.length, true);
  view.setUint32(IMAGE.CELLS_MEMSZ, tape.cellsSize, true);
  return file;
}

/** Puts header, operations, strings and blobs together. */
function link(assembly: Assembly): Uint8Array {
  const { ops, blobs, dataOffset, options } = assembly;
  const stringsEnd = dataOffset + assembly.stringsSize;
  const blobsOffset = (stringsEnd + 7) & ~7;
  for (const word of assembly.opFixups) ops[word]! += blobsOffset;
  for (const word of assembly.blobFixups) blobs[word]! += IMAGE.TAPE_BASE + blobsOffset;

  const bytes = new Uint8Array(blobsOffset + assembly.blobWords * 4);
  const view = new DataView(bytes.buffer);
  view.setUint32(HEADER.MAGIC, MAGIC, true);
  view.setUint16(HEADER.VERSION, VERSION, true);
  view.setUint16(HEADER.MACHINE, options.machine === 'arm64' ? MACHINE.ARM64 : MACHINE.X64, true);
  view.setUint32(HEADER.OP_COUNT, assembly.opCount, true);
  view.setUint32(HEADER.DATA_OFFSET, dataOffset, true);
  view.setUint32(HEADER.TAPE_SIZE, bytes.length, true);
  view.setUint32(HEADER.CELLS_SIZE, assembly.cellsSize, true);
  view.setInt32(HEADER.REPORT_FD, options.reportFd, true);
  bytes.set(new Uint8Array(ops.buffer), HEADER.SIZE);
  new TextEncoder().encodeInto(assembly.strings, bytes.subarray(dataOffset, stringsEnd));
  bytes.set(new Uint8Array(blobs.buffer, 0, assembly.blobWords * 4), blobsOffset);
  return bytes;
}

function assembleOp(assembly: Assembly, op: Op, index: number): void {
  const at = index * OP_WORDS;
  const { ops } = assembly;
  let kind: number;
  let nr = 0;
  let arity: number;
  switch (op.kind) {
    case 'syscall': {
      kind = KIND.SYSCALL;
      const syscall = lookUp(assembly, op);
      nr = syscall.nr;
      arity = syscall.arity;
      if (op.store) ops[at + OP.STORE / 4] = cellOffset(assembly, op, op.store, 0, 8) + 1;
      if (op.tolerate !== undefined) tolerate(assembly, op, at, op.tolerate, op.goto, index);
      else if (op.goto !== undefined) throw internal(op, 'has a goto but tolerates no errno');
      break;
    }
    case 'jump':
      kind = KIND.JUMP;
      nr = CONDITION_NUMBERS[op.condition];
      arity = 2;
      ops[at + OP.TARGET / 4] = placed(assembly, op, op.target);
      break;
    case 'set':
      kind = KIND.SET;
      nr = OPERATOR_NUMBERS[op.operator];
      arity = 2;
      ops[at + OP.STORE / 4] = cellOffset(assembly, op, op.store, op.storeOffset, 8) + 1;
      break;
    case 'notify':
      kind = KIND.NOTIFY;
      arity = 4;
      break;
    case 'fail':
      kind = KIND.FAIL;
      arity = 3;
      break;
    case 'reportTo':
      kind = KIND.REPORT_TO;
      arity = 1;
      break;
  }
  const { args } = op;
  if (args.length > arity) throw internal(op, `takes ${arity} arguments, not ${args.length}`);
  let argKinds = 0;
  for (let k = 0; k < args.length; k++)
    argKinds |= assembleArg(assembly, op, args[k]!, at + OP.ARG / 4 + 2 * k) << (2 * k);
  ops[at] = kind | (nr << 16);
  ops[at + 1] = argKinds;
  if (op.kind === 'notify') textLength(ops, at + OP.ARG / 4, args, 2);
  else if (op.kind === 'fail') textLength(ops, at + OP.ARG / 4, args, 0);
}

/** A literal text whose length is left out (0) is sent whole. */
function textLength(ops: Int32Array, at: number, args: readonly Arg[], text: number): void {
  const string = args[text];
  if (typeof string !== 'string' || (args[text + 1] ?? 0) !== 0) return;
  ops[at + 2 * (text + 1)] = Math.min(Buffer.byteLength(string), MESSAGE.TEXT_LIMIT);
}

/** Writes an argument's 64 bits at a word of `ops` and returns its kind. */
function assembleArg(assembly: Assembly, op: Op, arg: Arg, at: number): number {
  const { ops } = assembly;
  if (typeof arg === 'number') {
    ops[at] = arg;
    ops[at + 1] = highWord(op, arg);
    return ARG.IMMEDIATE;
  }
  if (typeof arg === 'string') {
    ops[at] = assembly.dataOffset + stringOffset(assembly, op, arg);
    return ARG.DATA;
  }
  if (arg === null) return ARG.IMMEDIATE;
  if (typeof arg === 'bigint') {
    writeBigint(ops, at, op, arg);
    return ARG.IMMEDIATE;
  }
  switch (arg.kind) {
    case 'cellValue':
      ops[at] = valueOffset(assembly, op, arg);
      return ARG.VALUE;
    case 'cellAddress':
      ops[at] = addressOffset(assembly, op, arg);
      return ARG.CELL;
    case 'fd': {
      const fd = fdNumber(assembly, op, arg);
      ops[at] = fd;
      ops[at + 1] = fd >> 31;
      return ARG.IMMEDIATE;
    }
    default:
      ops[at] = blobOffset(assembly, op, arg);
      assembly.opFixups.push(at);
      return ARG.DATA;
  }
}

/** The upper 32 bits of an integer; the lower are what a store into an Int32Array keeps. */
function highWord(op: Op, value: number): number {
  if (value >> 31 === 0 && value === (value | 0)) return 0;
  if (!Number.isSafeInteger(value)) throw internal(op, `has an argument that is no integer: ${value}`);
  return Math.floor(value / TWO_32);
}

function writeBigint(to: Int32Array, at: number, op: Op, value: bigint): void {
  if (value < -0x8000000000000000n || value > 0xffffffffffffffffn)
    throw internal(op, `has an argument beyond 64 bits: ${value}`);
  to[at] = Number(BigInt.asIntN(32, value));
  to[at + 1] = Number(BigInt.asIntN(32, value >> 32n));
}

/** Offset of a string from the beginning of the data. */
function stringOffset(assembly: Assembly, op: Op, string: string): number {
  const known = assembly.stringOffsets.get(string);
  if (known !== undefined) return known;
  if (string.includes('\0'))
    throw new RuntsError(
      op.field === undefined ? 'E_INTERNAL' : 'E_CONFIG_INVALID',
      `${op.field ?? describe(op)}: a string contains a NUL byte: ${JSON.stringify(string)}`,
      { field: op.field },
    );
  const offset = assembly.stringsSize;
  assembly.stringOffsets.set(string, offset);
  assembly.strings += `${string}\0`;
  assembly.stringsSize = offset + Buffer.byteLength(string) + 1;
  return offset;
}

/** Offset of a structure or of other bytes from the beginning of the blobs. */
function blobOffset(assembly: Assembly, op: Op, blob: Bytes | Words): number {
  const known = assembly.blobOffsets.get(blob);
  if (known !== undefined) return known;
  const at = assembly.blobWords;
  assembly.blobOffsets.set(blob, at * 4);
  if (blob.kind === 'bytes') {
    reserve(assembly, (blob.bytes.length + 7) >> 3);
    new Uint8Array(assembly.blobs.buffer, at * 4).set(blob.bytes);
    return at * 4;
  }
  reserve(assembly, blob.words.length);
  for (let i = 0; i < blob.words.length; i++) writeWord(assembly, op, blob.words[i]!, at + 2 * i);
  return at * 4;
}

function writeWord(assembly: Assembly, op: Op, word: Words['words'][number], at: number): void {
  if (typeof word === 'number') {
    assembly.blobs[at] = word;
    assembly.blobs[at + 1] = highWord(op, word);
  } else if (typeof word === 'string') {
    assembly.blobs[at] = IMAGE.TAPE_BASE + assembly.dataOffset + stringOffset(assembly, op, word);
  } else if (typeof word === 'bigint') {
    writeBigint(assembly.blobs, at, op, word);
  } else if (word.kind === 'fd') {
    const fd = fdNumber(assembly, op, word);
    assembly.blobs[at] = fd;
    assembly.blobs[at + 1] = fd >> 31;
  } else if (word.kind === 'cellAddress') {
    assembly.blobs[at] = IMAGE.CELLS_BASE + addressOffset(assembly, op, word);
  } else {
    // The buffer may be replaced by a bigger one meanwhile, so the store comes after.
    const offset = blobOffset(assembly, op, word);
    assembly.blobs[at] = offset;
    assembly.blobFixups.push(at);
  }
}

/** Makes room for 64-bit words at the end of the blobs. */
function reserve(assembly: Assembly, words: number): void {
  assembly.blobWords += 2 * words;
  if (assembly.blobWords <= assembly.blobs.length) return;
  const bigger = new Int32Array(Math.max(assembly.blobWords, 2 * assembly.blobs.length));
  bigger.set(assembly.blobs);
  assembly.blobs = bigger;
}

function lookUp(
  assembly: Assembly,
  op: Extract<Op, { kind: 'syscall' }>,
): { readonly nr: number; readonly arity: number } {
  const known = assembly.syscalls.get(op.name);
  if (known !== undefined) return known;
  const entry = SYSCALLS[op.name];
  const nr = entry[assembly.options.machine];
  if (nr < 0)
    throw new RuntsError('E_UNSUPPORTED', `${assembly.options.machine} has no system call ${op.name}`);
  const syscall = { nr, arity: Object.keys(entry.parameters).length };
  assembly.syscalls.set(op.name, syscall);
  return syscall;
}

function tolerate(
  assembly: Assembly,
  op: Op,
  at: number,
  errnos: Errnos,
  target: Label | undefined,
  index: number,
): void {
  const { ops } = assembly;
  const word = at + OP.ERRNOS / 4;
  if (errnos === 'any') {
    ops[word] = ERRNO_ANY;
  } else {
    if (errnos.length === 0 || errnos.length > 4)
      throw internal(op, `tolerates ${errnos.length} errnos, not 1 to 4`);
    for (let i = 0; i < errnos.length; i++) {
      const errno = ERRNO[errnos[i] as ErrnoName] as number | undefined;
      if (errno === undefined) throw internal(op, `tolerates an unknown errno: ${errnos[i]}`);
      ops[word + (i >> 1)]! |= errno << (16 * (i & 1));
    }
  }
  ops[at + OP.TARGET / 4] = target === undefined ? index + 1 : placed(assembly, op, target);
}

function placed(assembly: Assembly, op: Op, label: Label): number {
  if (label.index < 0) throw internal(op, `goes to the label ${label.name}, which is nowhere`);
  if (label.index >= assembly.opCount) throw internal(op, `goes to the label ${label.name}, at the end`);
  return label.index;
}

function cellOffset(assembly: Assembly, op: Op, cell: Cell, offset: number, width: number): number {
  const base = assembly.cellOffsets.get(cell);
  if (base === undefined) throw internal(op, `uses the cell ${cell.name} of another program`);
  if (!(offset >= 0 && offset + width <= ((cell.size + 7) & ~7)))
    throw internal(op, `uses byte ${offset} of the cell ${cell.name}, which has ${cell.size}`);
  return base + offset;
}

function valueOffset(assembly: Assembly, op: Op, value: CellValue): number {
  if (value.offset % 8 !== 0) throw internal(op, `reads the cell ${value.cell.name} at byte ${value.offset}`);
  return cellOffset(assembly, op, value.cell, value.offset, 8);
}

function addressOffset(assembly: Assembly, op: Op, address: CellAddress): number {
  return cellOffset(assembly, op, address.cell, address.offset, 1);
}

function fdNumber(assembly: Assembly, op: Op, fd: HandedFd): number {
  const number = assembly.options.fds[fd.name];
  if (number === undefined) throw internal(op, `uses the descriptor ${fd.name}, which is not handed over`);
  return number;
}

/** The executor refuses a program that could run past its end. */
function checkEnd(program: Program): void {
  const last = program.ops.at(-1);
  if (last === undefined) throw new RuntsError('E_INTERNAL', 'a program without operations');
  if (last.kind === 'fail' || (last.kind === 'jump' && last.condition === 'always')) return;
  if (last.kind === 'syscall' && last.name === 'exit_group') return;
  throw internal(last, 'is the last operation; that must be fail, an unconditional jump or exit_group');
}

function describe(op: Op): string {
  const name = op.kind === 'syscall' ? op.name : op.kind;
  return op.field === undefined ? name : `${name} for ${op.field}`;
}

function internal(op: Op, problem: string): RuntsError {
  return new RuntsError('E_INTERNAL', `tape: ${describe(op)} ${problem}`, { field: op.field });
}
