import { utf8 } from '../../ffi/text.ts';
/**
 * As much of Protocol Buffers as CRIU's messages need: integers, booleans, strings and nested messages.
 *
 * A message is a plain object, described by a table of its fields. Fields that are not in the table are passed over when
 * a message is read, so that a later CRIU may say more.
 *
 * @see https://protobuf.dev/programming-guides/encoding/
 * @module
 */

/** What a field holds. `int32` is negative as ten bytes, as the format has it. */
export type FieldType = 'int32' | 'uint32' | 'bool' | 'string' | MessageType;

export interface Field {
  number: number;
  type: FieldType;
  repeated?: boolean;
}

/** The fields of a message by name. */
export interface MessageType {
  readonly [name: string]: Field;
}

/** A message's content; a field that is undefined is left out. */
export interface Message {
  [name: string]: unknown;
}

/** Wire types; start and end of a group (3, 4) are obsolete. */
const WIRE = { VARINT: 0, FIXED64: 1, BYTES: 2, FIXED32: 5 } as const;

/** A varint of 64 bits has at most this many bytes. */
const VARINT_LIMIT = 10;

/** Encodes a message. */
export function encode(type: MessageType, message: object): Uint8Array {
  const out: number[] = [];
  const content = message as Message;
  for (const name in type) {
    const field = type[name]!;
    const value = content[name];
    if (value === undefined) continue;
    for (const each of field.repeated === true ? (value as unknown[]) : [value]) writeField(out, field, each);
  }
  return new Uint8Array(out);
}

function writeField(out: number[], { number, type }: Field, value: unknown): void {
  if (type === 'int32' || type === 'uint32' || type === 'bool') {
    writeVarint(out, BigInt((number << 3) | WIRE.VARINT));
    writeVarint(out, BigInt.asUintN(64, BigInt(Number(value))));
    return;
  }
  const bytes = type === 'string' ? utf8(String(value)) : encode(type, value as Message);
  writeVarint(out, BigInt((number << 3) | WIRE.BYTES));
  writeVarint(out, BigInt(bytes.length));
  for (const byte of bytes) out.push(byte);
}

function writeVarint(out: number[], value: bigint): void {
  let rest = value;
  for (; rest > 0x7fn; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  out.push(Number(rest));
}

/**
 * Decodes a message. Of a field that is there several times the last one counts, unless it is repeated; repeated fields
 * are lists, empty when there is none.
 *
 * @throws Error for bytes that are no message
 */
export function decode(type: MessageType, bytes: Uint8Array): Message {
  const message: Message = {};
  const byNumber = new Map<number, [string, Field]>();
  for (const name in type) {
    const field = type[name]!;
    byNumber.set(field.number, [name, field]);
    if (field.repeated === true) message[name] = [];
  }
  const reader = new Reader(bytes);
  while (!reader.done) {
    const key = Number(reader.varint());
    const wire = key & 7;
    const known = byNumber.get(key >>> 3);
    const raw = reader.value(wire);
    if (known === undefined) continue;
    const [name, field] = known;
    const value = interpret(field.type, raw);
    if (field.repeated === true) (message[name] as unknown[]).push(value);
    else message[name] = value;
  }
  return message;
}

function interpret(type: FieldType, raw: bigint | Uint8Array): unknown {
  if (type === 'int32' || type === 'uint32' || type === 'bool') {
    if (typeof raw !== 'bigint') throw new Error('a number was expected');
    if (type === 'bool') return raw !== 0n;
    return Number(type === 'int32' ? BigInt.asIntN(32, raw) : BigInt.asUintN(32, raw));
  }
  if (typeof raw === 'bigint') throw new Error('bytes were expected');
  return type === 'string' ? new TextDecoder().decode(raw) : decode(type, raw);
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let i = 0; i < VARINT_LIMIT; i++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) break;
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new Error('a number has no end');
  }

  /** Numbers as they stand; what has a length as its bytes. */
  value(wire: number): bigint | Uint8Array {
    switch (wire) {
      case WIRE.VARINT:
        return this.varint();
      case WIRE.FIXED64:
        return this.#take(8);
      case WIRE.FIXED32:
        return this.#take(4);
      case WIRE.BYTES:
        return this.#take(Number(this.varint()));
      default:
        throw new Error(`wire type ${wire}`);
    }
  }

  #take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new Error('it ends too early');
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }
}
