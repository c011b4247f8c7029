/**
 * Operations become the bytes of a tape, as they are appended.
 *
 * Every command that starts a container comes through here with a few hundred operations, before any of its code is
 * compiled: it is written for an interpreter. abi.ts documents the format.
 *
 * @module
 */

import { RuntsError } from '../src/errors.ts';
import { ARG, ERRNO_ANY, HEADER, IMAGE, KIND, MAGIC, OP } from './abi.ts';
import { CALL_WORDS } from './call-words.ts';
import { ERRNO, type ErrnoName } from './constants/errno.ts';
import { putIntegers } from './integers.ts';
import type { Arg, Cell, CellAddress, CellValue, HandedFd, Label, Op, OpOptions } from './program.ts';
import type { Machine, SyscallArgs, SyscallName } from './syscalls.ts';
import { type DataOwner, DataPool } from './tape-data.ts';
import { type Tape, type TapeDescriptors, TapeOperations } from './tape-operations.ts';

const HEADER_WORDS = HEADER.SIZE / 4;
const OP_WORDS = OP.SIZE / 4;
const ARG_WORD = OP.ARG / 4;
const STORE_WORD = OP.STORE / 4;
const TARGET_WORD = OP.TARGET / 4;
const ERRNOS_WORD = OP.ERRNOS / 4;
const NO_OPTIONS: OpOptions = {};

const MOST_SIGNED = 0x7fffffffffffffffn;
const MOST = 0xffffffffffffffffn;

/** Words that most tapes need. */
const ROOM = HEADER_WORDS + 384 * OP_WORDS;

/**
 * Writes operations straight into a tape, for a program that is performed and not read: a {@link Program} with the same
 * operations gives the same bytes by {@link assemble}.
 */
export class TapeWriter extends TapeOperations implements DataOwner {
  /** Header and operations as 32-bit words: everything in them is little endian, and so are the machines. */
  private words = new Int32Array(ROOM);
  /** Length of `words`: to ask a typed array for its own is slow in QuickJS. */
  private room = ROOM;
  private length = 0;
  private readonly data = new DataPool(this);
  private readonly syscalls: Readonly<Record<SyscallName, number>>;
  /** Words that are to hold the index of a label that was not placed yet. */
  private readonly open: { at: number; label: Label }[] = [];
  /** Words that are to hold the number of a descriptor. */
  private readonly descriptors: { at: number; inBlobs: boolean; name: string }[] = [];
  /** The operation at hand, for the texts of errors. */
  private name = '';

  constructor(machine: Machine, cells: Cell[] = []) {
    super(machine, cells);
    this.syscalls = CALL_WORDS[machine];
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

  operation(
    name: Exclude<Op['kind'], 'syscall'>,
    first: number,
    args: readonly Arg[],
    store: Cell | null,
    storeOffset: number,
    label: Label | null,
  ): void {
    const at = this.begin(name);
    this.words[at] = first;
    if (store !== null) this.words[at + STORE_WORD] = this.cellOffset(store, storeOffset, 8) + 1;
    if (label !== null) this.target(at, label);
    this.args(at, args, 6);
  }

  protected count(): number {
    return this.length;
  }

  finish({ fds, reportFd }: TapeDescriptors): Tape {
    const { words, length: count, data } = this;
    for (const { at, label } of this.open) words[at] = this.placed(label);
    for (const { at, inBlobs, name } of this.descriptors) {
      const number = fds[name];
      if (number === undefined)
        throw new RuntsError('E_INTERNAL', `tape: the descriptor ${name} is not handed over`);
      if (inBlobs) data.setBlobWord(at, number);
      else words[at] = number;
    }
    const dataOffset = HEADER.SIZE + count * OP.SIZE;
    const constants = data.link(words, dataOffset);
    const cellsSize = this.cellsSize();
    words[HEADER.MAGIC / 4] = MAGIC;
    words[HEADER.VERSION / 4] = this.versionWord();
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
      if (value < -0x8000000000000000n || value > MOST)
        throw this.mistake(`has an argument beyond 64 bits: ${value}`);
      to[at] = Number(BigInt.asIntN(32, value));
      to[at + 1] = Number(BigInt.asIntN(32, value >> 32n));
    }
  }

  /** Makes room for an operation; gives its first word. */
  private begin(name: string): number {
    this.name = name;
    const at = HEADER_WORDS + this.length++ * OP_WORDS;
    if (at + OP_WORDS > this.room) {
      this.room *= 2;
      const bigger = new Int32Array(this.room);
      bigger.set(this.words);
      this.words = bigger;
    }
    return at;
  }

  private args(at: number, args: readonly Arg[], arity: number): void {
    const { words } = this;
    if (args.length > arity) throw this.mistake(`takes ${arity} arguments, not ${args.length}`);
    let kinds = 0;
    let wide = 0;
    // Most arguments are small integers, and written by that.
    for (let rest = putIntegers(words, at + ARG_WORD, args); rest !== 0; rest >>= 3) {
      const k = (rest & 7) - 1;
      const arg = args[k]!;
      const word = at + ARG_WORD + k;
      if (typeof arg === 'string') {
        words[word] = this.data.string(arg, word);
        kinds |= ARG.DATA << (2 * k);
      } else if (typeof arg === 'number' || typeof arg === 'bigint') {
        if (this.integer(word, arg)) wide |= 1 << k;
      } else {
        kinds |= this.reference(word, arg) << (2 * k);
      }
    }
    words[at + 1] = kinds | (wide << 16);
  }

  /** An integer that may need 64 bits: then it is among the data, and true is returned. */
  private integer(word: number, value: number | bigint): boolean {
    const small = typeof value === 'bigint' ? Number(BigInt.asIntN(32, value)) : value | 0;
    // What is out of range must come to the data, which refuses it: all 64 bits are the same only then.
    const wide =
      typeof value === 'number'
        ? small !== value
        : BigInt(small) !== (value > MOST_SIGNED && value <= MOST ? BigInt.asIntN(64, value) : value);
    this.words[word] = wide ? this.data.integer(value, word) : small;
    return wide;
  }

  /** An argument that isn't a number or a string. Gives its kind. */
  private reference(word: number, arg: Exclude<Arg, number | bigint | string | null>): number {
    const { words } = this;
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
    if (goto === undefined) words[at + TARGET_WORD] = this.length;
    else this.target(at, goto);
  }

  private target(at: number, label: Label): void {
    if (label.index >= 0) this.words[at + TARGET_WORD] = label.index;
    else this.open.push({ at: at + TARGET_WORD, label });
  }

  private placed(label: Label): number {
    const { index } = label;
    if (index >= 0 && index < this.length) return index;
    const where = index < 0 ? 'nowhere' : 'behind the last operation';
    throw new RuntsError('E_INTERNAL', `tape: goes to the label ${label.name}, which is ${where}`);
  }

  private mistake(problem: string): RuntsError {
    return programError(this.name, this.field, problem);
  }
}

/** The error for a program that the executor would refuse, which is a mistake in the planner. */
export function programError(name: string, field: string | undefined, problem: string): RuntsError {
  const where = field === undefined ? name : `${name} for ${field}`;
  return new RuntsError('E_INTERNAL', `tape: ${where} ${problem}`, { field });
}
