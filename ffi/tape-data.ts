/**
 * What a tape's operations refer to: where the cells are, and the constant data behind the operations.
 *
 * Class fields are `private` and not `#private`: creating the latter costs an interpreter noticeably more.
 *
 * @module
 */

import { RuntsError } from '../src/errors.ts';
import { IMAGE } from './abi.ts';
import type { Bytes, Cell, HandedFd, Op, Words } from './program.ts';

/** The error for a program that the executor would refuse, which is a mistake in the planner. */
export function programError(op: Op, problem: string): RuntsError {
  return new RuntsError('E_INTERNAL', `tape: ${describe(op)} ${problem}`, { field: op.field });
}

function describe(op: Op): string {
  const name = op.kind === 'syscall' ? op.name : op.kind;
  return op.field === undefined ? name : `${name} for ${op.field}`;
}

/**
 * The offset of bytes of a cell in the executor's memory.
 *
 * @param width - 8 for a 64-bit word, which must be aligned; 1 for an address
 */
export function cellOffset(
  offsets: ReadonlyMap<Cell, number>,
  op: Op,
  cell: Cell,
  offset: number,
  width: 1 | 8,
): number {
  const base = offsets.get(cell);
  if (base === undefined) throw programError(op, `uses the cell ${cell.name} of another program`);
  if (offset !== 0 && !(offset > 0 && offset % width === 0 && offset + width <= roundUp(cell.size)))
    throw programError(op, `uses byte ${offset} of the cell ${cell.name}, which has ${cell.size}`);
  return base + offset;
}

/**
 * The data of a tape: all strings, each once and with a NUL, and behind them structures and other bytes ("blobs").
 *
 * A string's place is known when it is added, a blob's only when there are no more strings: until then what refers to
 * a blob holds its offset among the blobs, and is listed for correction.
 */
export class DataPool {
  private readonly start: number;
  private readonly cells: ReadonlyMap<Cell, number>;
  private readonly fds: Readonly<Record<string, number>>;
  /** Length of a string in UTF-8; {@link link} tells when it was wrong. */
  readonly byteLength: (string: string) => number;

  /** Offset in the tape by string. */
  private readonly strings = new Map<string, number>();
  private joined = '';
  private end: number;

  private blobs = new Int32Array(1024);
  /** Used length of `blobs`, in 32-bit words; always even. */
  private blobLength = 0;
  /** Offset among the blobs, in bytes. */
  private readonly blobOffsets = new Map<Bytes | Words, number>();
  /** Words of the operations, and of the blobs, that refer to a blob. */
  private readonly opReferences: number[] = [];
  private readonly blobReferences: number[] = [];

  /** @param start - offset of the data in the tape */
  constructor(
    start: number,
    cells: ReadonlyMap<Cell, number>,
    fds: Readonly<Record<string, number>>,
    byteLength: (string: string) => number,
  ) {
    this.start = start;
    this.end = start;
    this.cells = cells;
    this.fds = fds;
    this.byteLength = byteLength;
  }

  /** The offset of a string in the tape. */
  string(op: Op, string: string): number {
    const known = this.strings.get(string);
    if (known !== undefined) return known;
    if (string.includes('\0')) throw nulByte(op, string);
    const offset = this.end;
    this.strings.set(string, offset);
    this.joined += `${string}\0`;
    this.end = offset + this.byteLength(string) + 1;
    return offset;
  }

  /** What a word of the operations has to hold until {@link link} for a reference to a blob. */
  blob(op: Op, blob: Bytes | Words, word: number): number {
    this.opReferences.push(word);
    return this.blobOffset(op, blob);
  }

  fd(op: Op, { name }: HandedFd): number {
    const number = this.fds[name];
    if (number === undefined) throw programError(op, `uses the descriptor ${name}, which is not handed over`);
    return number;
  }

  /** Bytes of the whole tape, when everything is added. */
  tapeSize(): number {
    return roundUp(this.end) + this.blobLength * 4;
  }

  /**
   * Puts the tape together.
   *
   * @param ops - header and operations, in words
   * @param room - bytes to leave free in front of it in its buffer
   * @returns undefined when `byteLength` was wrong for some string
   */
  link(ops: Int32Array, room: number): Uint8Array | undefined {
    const blobsStart = roundUp(this.end);
    const { blobs } = this;
    for (const word of this.opReferences) ops[word]! += blobsStart;
    for (const word of this.blobReferences) blobs[word]! += IMAGE.TAPE_BASE + blobsStart;
    const tape = new Uint8Array(room + this.tapeSize()).subarray(room);
    const { read, written } = new TextEncoder().encodeInto(this.joined, tape.subarray(this.start, this.end));
    if (read !== this.joined.length || written !== this.end - this.start) return undefined;
    tape.set(new Uint8Array(ops.buffer));
    tape.set(new Uint8Array(blobs.buffer, 0, this.blobLength * 4), blobsStart);
    return tape;
  }

  private blobOffset(op: Op, blob: Bytes | Words): number {
    const known = this.blobOffsets.get(blob);
    if (known !== undefined) return known;
    const at = this.blobLength;
    this.blobOffsets.set(blob, at * 4);
    if (blob.kind === 'bytes') {
      this.reserve(roundUp(blob.bytes.length) / 4);
      new Uint8Array(this.blobs.buffer).set(blob.bytes, at * 4);
    } else {
      this.reserve(blob.words.length * 2);
      for (let i = 0; i < blob.words.length; i++) this.word(op, blob.words[i]!, at + 2 * i);
    }
    return at * 4;
  }

  private word(op: Op, word: Words['words'][number], at: number): void {
    const { blobs } = this;
    if (typeof word === 'number' || typeof word === 'bigint') {
      writeInteger(blobs, at, op, word);
    } else if (typeof word === 'string') {
      blobs[at] = IMAGE.TAPE_BASE + this.string(op, word);
    } else if (word.kind === 'fd') {
      writeInteger(blobs, at, op, this.fd(op, word));
    } else if (word.kind === 'cellAddress') {
      blobs[at] = IMAGE.CELLS_BASE + cellOffset(this.cells, op, word.cell, word.offset, 1);
    } else {
      const offset = this.blobOffset(op, word);
      // Not `blobs`: adding the inner blob may have replaced the array.
      this.blobs[at] = offset;
      this.blobReferences.push(at);
    }
  }

  private reserve(words: number): void {
    this.blobLength += words;
    if (this.blobLength <= this.blobs.length) return;
    const bigger = new Int32Array(Math.max(this.blobLength, 2 * this.blobs.length));
    bigger.set(this.blobs);
    this.blobs = bigger;
  }
}

/** Writes an integer's 64 bits, low word first. */
export function writeInteger(to: Int32Array, at: number, op: Op, value: number | bigint): void {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw programError(op, `has an argument that is no integer: ${value}`);
    // The store keeps the lower 32 bits.
    to[at] = value;
    to[at + 1] = Math.floor(value / 0x100000000);
  } else {
    if (value < -0x8000000000000000n || value > 0xffffffffffffffffn)
      throw programError(op, `has an argument beyond 64 bits: ${value}`);
    to[at] = Number(BigInt.asIntN(32, value));
    to[at + 1] = Number(BigInt.asIntN(32, value >> 32n));
  }
}

function nulByte(op: Op, string: string): RuntsError {
  return new RuntsError(
    op.field === undefined ? 'E_INTERNAL' : 'E_CONFIG_INVALID',
    `${op.field ?? `tape: ${describe(op)}`}: a string contains a NUL byte: ${JSON.stringify(string)}`,
    { field: op.field },
  );
}

/** The next multiple of 8. */
export function roundUp(size: number): number {
  return (size + 7) & ~7;
}
