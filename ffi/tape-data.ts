/**
 * The constant data of a tape: all strings, each once and with a NUL, and behind them structures and other bytes
 * ("blobs"). Where they come to lie is known when there are no more operations: until then what refers to them holds
 * an offset among the strings or among the blobs, and is listed for correction.
 *
 * Class fields are `private` and not `#private`: creating the latter costs an interpreter noticeably more.
 *
 * @module
 */

import { IMAGE } from './abi.ts';
import type { Bytes, CellAddress, HandedFd, Words } from './program.ts';
import { utf8 } from './text.ts';

/** What the data's owner knows: the operations, the cells, and what an error has to name. */
export interface DataOwner {
  /** Looks at each string once. @throws RuntsError for one with a NUL, which C would take for a shorter one */
  checkString(string: string): void;
  /** Writes 64 bits. @throws RuntsError for what is no integer of 64 bits */
  writeInteger(to: Int32Array, at: number, value: number | bigint): void;
  /** Offset in the cells. @throws RuntsError for one outside of them */
  addressOffset(address: CellAddress): number;
  /** Notes that word `at` of the blobs is to hold a descriptor's number, for {@link DataPool.setBlobWord}. */
  descriptorInBlob(at: number, fd: HandedFd): void;
}

export class DataPool {
  private readonly owner: DataOwner;

  /** Offset among the strings, by string, as if all were ASCII: nearly all are. */
  private readonly offsets = new Map<string, number>();
  private joined = '';

  private blobs = new Int32Array(512);
  /** Length of `blobs`. */
  private room = 512;
  /** Used length of `blobs`, in 32-bit words; always even. */
  private blobLength = 0;
  /** Offset among the blobs, in bytes. */
  private readonly blobOffsets = new Map<Bytes | Words, number>();

  // Indices of the 32-bit words, of the operations and of the blobs, that refer to a string or to a blob.
  private readonly stringsInOps: number[] = [];
  private readonly blobsInOps: number[] = [];
  private readonly stringsInBlobs: number[] = [];
  private readonly blobsInBlobs: number[] = [];

  constructor(owner: DataOwner) {
    this.owner = owner;
  }

  /** Adds a string; gives what word `at` of the operations holds for it until {@link link}. */
  string(string: string, at: number): number {
    this.stringsInOps.push(at);
    return this.offsets.get(string) ?? this.addString(string);
  }

  /** Adds a blob; gives what word `at` of the operations holds for it until {@link link}. */
  blob(blob: Bytes | Words, at: number): number {
    this.blobsInOps.push(at);
    return this.blobOffsets.get(blob) ?? this.addBlob(blob);
  }

  /** Adds 64 bits; gives what word `at` of the operations holds for them until {@link link}. */
  integer(value: number | bigint, at: number): number {
    const word = this.blobLength;
    this.reserve(2);
    this.owner.writeInteger(this.blobs, word, value);
    this.blobsInOps.push(at);
    return word * 4;
  }

  /** Writes a descriptor's number into a blob. */
  setBlobWord(at: number, value: number): void {
    this.owner.writeInteger(this.blobs, at, value);
  }

  /**
   * Gives the data, and corrects what refers to it.
   *
   * @param ops - the tape from its start to the end of the operations
   * @param start - offset of the data in the tape
   */
  link(ops: Int32Array, start: number): Uint8Array {
    const strings = utf8(this.joined);
    if (strings.length !== this.joined.length) this.moveStrings(ops);
    const { blobs } = this;
    const blobsAt = (strings.length + 7) & ~7;
    const toBlobs = start + blobsAt;
    for (const at of this.stringsInOps) ops[at]! += start;
    for (const at of this.blobsInOps) ops[at]! += toBlobs;
    for (const at of this.stringsInBlobs) blobs[at]! += IMAGE.TAPE_BASE + start;
    for (const at of this.blobsInBlobs) blobs[at]! += IMAGE.TAPE_BASE + toBlobs;
    const data = new Uint8Array(blobsAt + this.blobLength * 4);
    data.set(strings);
    data.set(new Uint8Array(blobs.buffer, 0, this.blobLength * 4), blobsAt);
    return data;
  }

  private addString(string: string): number {
    this.owner.checkString(string);
    const offset = this.joined.length;
    this.offsets.set(string, offset);
    this.joined += `${string}\0`;
    return offset;
  }

  private addBlob(blob: Bytes | Words): number {
    const at = this.blobLength;
    this.blobOffsets.set(blob, at * 4);
    if (blob.kind === 'bytes') {
      this.reserve(2 * ((blob.bytes.length + 7) >> 3));
      new Uint8Array(this.blobs.buffer).set(blob.bytes, at * 4);
    } else {
      const { words } = blob;
      this.reserve(words.length * 2);
      for (let i = 0; i < words.length; i++) this.word(words[i]!, at + 2 * i);
    }
    return at * 4;
  }

  private word(word: Words['words'][number], at: number): void {
    if (typeof word === 'number' || typeof word === 'bigint') {
      if (word !== 0) this.owner.writeInteger(this.blobs, at, word);
    } else if (typeof word === 'string') {
      this.stringsInBlobs.push(at);
      this.blobs[at] = this.offsets.get(word) ?? this.addString(word);
    } else if (word.kind === 'fd') {
      this.owner.descriptorInBlob(at, word);
    } else if (word.kind === 'cellAddress') {
      this.blobs[at] = IMAGE.CELLS_BASE + this.owner.addressOffset(word);
    } else {
      const offset = this.blobOffsets.get(word) ?? this.addBlob(word);
      this.blobsInBlobs.push(at);
      // Adding the inner blob may have replaced the array.
      this.blobs[at] = offset;
    }
  }

  private reserve(words: number): void {
    this.blobLength += words;
    if (this.blobLength <= this.room) return;
    this.room = Math.max(this.blobLength, 2 * this.room);
    const bigger = new Int32Array(this.room);
    bigger.set(this.blobs);
    this.blobs = bigger;
  }

  /** From offsets in characters to offsets in bytes of UTF-8. */
  private moveStrings(ops: Int32Array): void {
    const encoder = new TextEncoder();
    const moved = new Map<number, number>();
    let end = 0;
    for (const [string, offset] of this.offsets) {
      moved.set(offset, end);
      end += encoder.encode(string).length + 1;
    }
    for (const at of this.stringsInOps) ops[at] = moved.get(ops[at]!)!;
    for (const at of this.stringsInBlobs) this.blobs[at] = moved.get(this.blobs[at]!)!;
  }
}
