/**
 * Operations become the bytes of a tape, as they are appended.
 *
 * Every command that starts a container comes through here with a few hundred operations, before any of its code is
 * compiled: it is written for an interpreter. abi.ts documents the format.
 *
 * @module
 */

import { putIntegers } from '#native';
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
import { CALL_WORDS } from './call-words.ts';
import { ERRNO, type ErrnoName } from './constants/errno.ts';
import type {
  Arg,
  Cell,
  CellAddress,
  CellValue,
  Condition,
  HandedFd,
  Label,
  Op,
  OpOptions,
  ProgramBuilder,
  SetOperator,
} from './program.ts';
import { sizeOfCells } from './program.ts';
import type { Machine, SyscallArgs, SyscallName } from './syscalls.ts';
import { type DataOwner, DataPool } from './tape-data.ts';
import { utf8Length } from './text.ts';

/** A program in the executor's format. */
export interface Tape {
  readonly bytes: Uint8Array;
  /** Bytes of zeroed memory that the program needs; a multiple of 8, at least 8. */
  readonly cellsSize: number;
}

/** What is known when the descriptors are open. */
export interface TapeDescriptors {
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
const STORE_WORD = OP.STORE / 4;
const TARGET_WORD = OP.TARGET / 4;
const ERRNOS_WORD = OP.ERRNOS / 4;
const NO_OPTIONS: OpOptions = {};

/** Words that most tapes need. */
const ROOM = HEADER_WORDS + 384 * OP_WORDS;

/**
 * Writes operations straight into a tape, for a program that is performed and not read: a {@link Program} with the same
 * operations gives the same bytes by {@link assemble}.
 */
export class TapeWriter implements ProgramBuilder, DataOwner {
  readonly cells: Cell[];
  private readonly machine: Machine;
  /** Header and operations as 32-bit words: everything in them is little endian, and so are the machines. */
  private words = new Int32Array(ROOM);
  /** Length of `words`: to ask a typed array for its own is slow in QuickJS. */
  private room = ROOM;
  private count = 0;
  private readonly data = new DataPool(this);
  private readonly syscalls: Readonly<Record<SyscallName, number>>;
  /** Words that are to hold the index of a label that was not placed yet. */
  private readonly open: { at: number; label: Label }[] = [];
  /** Words that are to hold the number of a descriptor. */
  private readonly descriptors: { at: number; inBlobs: boolean; name: string }[] = [];
  // For the texts of errors: the operation at hand, and the config field that it belongs to.
  private name = '';
  private field: string | undefined;

  /** @param cells - those that the operations use, of a program that is there already */
  constructor(machine: Machine, cells: Cell[] = []) {
    this.machine = machine;
    this.syscalls = CALL_WORDS[machine];
    this.cells = cells;
  }

  cell(name: string, size = 8): Cell {
    const { cells } = this;
    const cell: Cell = { kind: 'cell', name, size, index: cells.length, offset: sizeOfCells(cells) };
    cells.push(cell);
    return cell;
  }

  label(name: string): Label {
    return { name, index: -1 };
  }

  place(label: Label): void {
    label.index = this.count;
  }

  within<T>(field: string, build: () => T): T {
    const outer = this.field;
    this.field = field;
    const result = build();
    this.field = outer;
    return result;
  }

  call<N extends SyscallName>(name: N, args: SyscallArgs<N>, options: OpOptions = NO_OPTIONS): void {
    const at = this.begin(name);
    const { words } = this;
    const syscall = this.syscalls[name];
    if (syscall < 0) throw new RuntsError('E_UNSUPPORTED', `${this.machine} has no system call ${name}`);
    words[at] = KIND.SYSCALL | (syscall & ~0xffff);
    const { store, tolerate } = options;
    if (store !== undefined) words[at + STORE_WORD] = this.cellOffset(store, 0, 8) + 1;
    if (tolerate !== undefined) this.policy(at, tolerate, options.goto);
    else if (options.goto !== undefined) throw this.mistake('has a goto but tolerates no errno');
    this.args(at, args as readonly Arg[], syscall & 0xffff);
  }

  jump(target: Label): void {
    const at = this.begin('jump');
    this.words[at] = KIND.JUMP | (CONDITION.ALWAYS << 16);
    this.target(at, target);
  }

  jumpIf(left: Arg, condition: Exclude<Condition, 'always'>, right: Arg, target: Label): void {
    this.conditional(condition, [left, right], target);
  }

  set(store: Cell, left: Arg, operator: SetOperator = '', right: Arg = 0, storeOffset = 0): void {
    const at = this.begin('set');
    this.words[at] = KIND.SET | (OPERATOR_NUMBERS[operator] << 16);
    this.words[at + STORE_WORD] = this.cellOffset(store, storeOffset, 8) + 1;
    this.args(at, [left, right], 2);
  }

  notify(tag: Arg, value: Arg = 0, text: Arg = null, length: Arg = 0): void {
    const at = this.begin('notify');
    this.words[at] = KIND.NOTIFY;
    this.args(at, [tag, value, text, textLength(text, length)], 4);
  }

  fail(text: Arg = null, length: Arg = 0, errno: Arg = 0): void {
    const at = this.begin('fail');
    this.words[at] = KIND.FAIL;
    this.args(at, [text, textLength(text, length), errno], 3);
  }

  reportTo(fd: Arg): void {
    const at = this.begin('reportTo');
    this.words[at] = KIND.REPORT_TO;
    this.args(at, [fd], 1);
  }

  /** Appends an operation of a symbolic program, whose labels are all placed. */
  append(op: Op): void {
    this.field = op.field;
    switch (op.kind) {
      case 'syscall':
        this.call(op.name, op.args as SyscallArgs<SyscallName>, op);
        break;
      case 'jump':
        this.conditional(op.condition, op.args, op.target);
        break;
      case 'set':
        this.set(op.store, op.args[0] ?? 0, op.operator, op.args[1] ?? 0, op.storeOffset);
        break;
      case 'notify':
        this.notify(op.args[0] ?? 0, op.args[1], op.args[2], op.args[3]);
        break;
      case 'fail':
        this.fail(op.args[0], op.args[1], op.args[2]);
        break;
      case 'reportTo':
        this.reportTo(op.args[0] ?? 0);
        break;
    }
  }

  /**
   * Gives the tape; nothing can be appended afterwards.
   *
   * @throws {RuntsError} E_INTERNAL for a program that the executor would refuse
   */
  finish({ fds, reportFd }: TapeDescriptors): Tape {
    const { words, count, data } = this;
    for (const { at, label } of this.open) words[at] = this.placed(label);
    for (const { at, inBlobs, name } of this.descriptors) {
      const number = fds[name];
      if (number === undefined)
        throw new RuntsError('E_INTERNAL', `tape: the descriptor ${name} is not handed over`);
      if (inBlobs) data.setBlobWord(at, number);
      else this.writeInteger(words, at, number);
    }
    const dataOffset = HEADER.SIZE + count * OP.SIZE;
    const constants = data.link(words, dataOffset);
    const cellsSize = sizeOfCells(this.cells) || 8;
    words[HEADER.MAGIC / 4] = MAGIC;
    words[HEADER.VERSION / 4] = VERSION | ((this.machine === 'arm64' ? MACHINE.ARM64 : MACHINE.X64) << 16);
    words[HEADER.OP_COUNT / 4] = count;
    words[HEADER.DATA_OFFSET / 4] = dataOffset;
    words[HEADER.TAPE_SIZE / 4] = dataOffset + constants.length;
    words[HEADER.CELLS_SIZE / 4] = cellsSize;
    words[HEADER.REPORT_FD / 4] = reportFd;
    // With room in front of it for the executor.
    const bytes = new Uint8Array(IMAGE.TAPE_OFFSET + dataOffset + constants.length).subarray(
      IMAGE.TAPE_OFFSET,
    );
    bytes.set(new Uint8Array(words.buffer, 0, dataOffset));
    bytes.set(constants, dataOffset);
    return { bytes, cellsSize };
  }

  checkString(string: string): void {
    if (!string.includes('\0')) return;
    const { field } = this;
    throw new RuntsError(
      field === undefined ? 'E_INTERNAL' : 'E_CONFIG_INVALID',
      `${field ?? `tape: ${this.name}`}: a string contains a NUL byte: ${JSON.stringify(string)}`,
      { field },
    );
  }

  addressOffset({ cell, offset }: CellAddress): number {
    return this.cellOffset(cell, offset, 1);
  }

  descriptorInBlob(at: number, { name }: HandedFd): void {
    this.descriptors.push({ at, inBlobs: true, name });
  }

  writeInteger(to: Int32Array, at: number, value: number | bigint): void {
    if (typeof value === 'number') {
      if (!Number.isSafeInteger(value)) throw this.mistake(`has an argument that is no integer: ${value}`);
      // The store keeps the lower 32 bits.
      to[at] = value;
      to[at + 1] = Math.floor(value / 0x100000000);
    } else {
      if (value < -0x8000000000000000n || value > 0xffffffffffffffffn)
        throw this.mistake(`has an argument beyond 64 bits: ${value}`);
      to[at] = Number(BigInt.asIntN(32, value));
      to[at + 1] = Number(BigInt.asIntN(32, value >> 32n));
    }
  }

  /** Makes room for an operation; gives its first word. */
  private begin(name: string): number {
    this.name = name;
    const at = HEADER_WORDS + this.count++ * OP_WORDS;
    if (at + OP_WORDS > this.room) {
      this.room *= 2;
      const bigger = new Int32Array(this.room);
      bigger.set(this.words);
      this.words = bigger;
    }
    return at;
  }

  private conditional(condition: Condition, args: readonly Arg[], target: Label): void {
    const at = this.begin('jump');
    this.words[at] = KIND.JUMP | (CONDITION_NUMBERS[condition] << 16);
    this.target(at, target);
    this.args(at, args, 2);
  }

  private args(at: number, args: readonly Arg[], arity: number): void {
    const { words } = this;
    if (args.length > arity) throw this.mistake(`takes ${arity} arguments, not ${args.length}`);
    let kinds = 0;
    // Most arguments are integers, and written by that.
    for (let rest = putIntegers(words, at + ARG_WORD, args); rest !== 0; rest >>= 3) {
      const k = (rest & 7) - 1;
      const arg = args[k]!;
      const word = at + ARG_WORD + 2 * k;
      if (typeof arg === 'string') {
        words[word] = this.data.string(arg, word);
        kinds |= ARG.DATA << (2 * k);
      } else if (typeof arg === 'number') {
        this.writeInteger(words, word, arg);
      } else {
        kinds |= this.reference(word, arg) << (2 * k);
      }
    }
    words[at + 1] = kinds;
  }

  /** An argument that isn't a number or a string. Gives its kind. */
  private reference(word: number, arg: Exclude<Arg, number | string | null>): number {
    const { words } = this;
    if (typeof arg === 'bigint') {
      this.writeInteger(words, word, arg);
      return ARG.IMMEDIATE;
    }
    const { kind } = arg;
    if (kind === 'cellValue') {
      words[word] = this.cellOffset((arg as CellValue).cell, (arg as CellValue).offset, 8);
      return ARG.VALUE;
    }
    if (kind === 'cellAddress') {
      words[word] = this.addressOffset(arg as CellAddress);
      return ARG.CELL;
    }
    if (kind === 'fd') {
      this.descriptors.push({ at: word, inBlobs: false, name: (arg as HandedFd).name });
      return ARG.IMMEDIATE;
    }
    words[word] = this.data.blob(arg, word);
    return ARG.DATA;
  }

  /**
   * The offset of bytes of a cell in the executor's memory.
   *
   * @param width - 8 for a 64-bit word, which must be aligned; 1 for an address
   */
  private cellOffset(cell: Cell, offset: number, width: 1 | 8): number {
    if (this.cells[cell.index] !== cell) throw this.mistake(`uses the cell ${cell.name} of another program`);
    if (offset !== 0 && !(offset > 0 && offset % width === 0 && offset + width <= ((cell.size + 7) & ~7)))
      throw this.mistake(`uses byte ${offset} of the cell ${cell.name}, which has ${cell.size}`);
    return cell.offset + offset;
  }

  /** The errnos that are no failure, and where the program goes on after one. */
  private policy(at: number, errnos: NonNullable<OpOptions['tolerate']>, goto: Label | undefined): void {
    const { words } = this;
    const word = at + ERRNOS_WORD;
    if (errnos === 'any') {
      words[word] = ERRNO_ANY;
    } else {
      if (errnos.length === 0 || errnos.length > 4)
        throw this.mistake(`tolerates ${errnos.length} errnos, not 1 to 4`);
      for (let i = 0; i < errnos.length; i++) {
        const errno = ERRNO[errnos[i] as ErrnoName] as number | undefined;
        if (errno === undefined) throw this.mistake(`tolerates an unknown errno: ${errnos[i]}`);
        words[word + (i >> 1)]! |= errno << (16 * (i & 1));
      }
    }
    if (goto === undefined) words[at + TARGET_WORD] = this.count;
    else this.target(at, goto);
  }

  private target(at: number, label: Label): void {
    if (label.index >= 0) this.words[at + TARGET_WORD] = label.index;
    else this.open.push({ at: at + TARGET_WORD, label });
  }

  private placed(label: Label): number {
    const { index } = label;
    if (index >= 0 && index < this.count) return index;
    const where = index < 0 ? 'nowhere' : 'behind the last operation';
    throw new RuntsError('E_INTERNAL', `tape: goes to the label ${label.name}, which is ${where}`);
  }

  private mistake(problem: string): RuntsError {
    return programError(this.name, this.field, problem);
  }
}

/** A literal text whose length is left out (0) is sent whole. */
function textLength(text: Arg, length: Arg): Arg {
  if (typeof text !== 'string' || length !== 0) return length;
  return Math.min(utf8Length(text), MESSAGE.TEXT_LIMIT);
}

/** The error for a program that the executor would refuse, which is a mistake in the planner. */
export function programError(name: string, field: string | undefined, problem: string): RuntsError {
  const where = field === undefined ? name : `${name} for ${field}`;
  return new RuntsError('E_INTERNAL', `tape: ${where} ${problem}`, { field });
}
