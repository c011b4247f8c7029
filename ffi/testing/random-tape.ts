/**
 * Random tapes as bytes, and mutations of them, for the tests of malformed tapes.
 *
 * @module
 */

import fc from 'fast-check';
import { ARG, ERRNO_ANY, HEADER, KIND, MACHINE, MAGIC, OP, STACK_SIZE, VERSION } from '../abi.ts';
import type { Machine } from '../syscalls.ts';
import { REPORT_FD } from './harness.ts';
import type { modelled } from './model.ts';

/** A tape, and the size of the cells that its image has. */
export interface RawTape {
  readonly bytes: Uint8Array;
  readonly cellsSize: number;
}

interface RawArg {
  kind: number;
  value: bigint;
}

interface RawOp {
  kind: number;
  nr: number;
  args: readonly RawArg[];
  store: number;
  target: number;
  errnos: readonly number[];
}

/** Operations that are mostly right for a tape with this data and these cells. */
export interface RawProgram {
  readonly ops: readonly RawOp[];
  readonly data: Uint8Array;
  readonly cellsSize: number;
}

/** Change of a field: which one (of header or operations, chosen modulo their number) and its new value. */
export interface Mutation {
  readonly how: 'field' | 'byte' | 'truncate' | 'extend' | 'cells';
  readonly where: number;
  readonly value: bigint;
}

const INTERESTING = [
  0n,
  1n,
  2n,
  7n,
  8n,
  9n,
  16n,
  64n,
  255n,
  4095n,
  4096n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
];
const interesting = fc.oneof(
  fc.constantFrom(
    ...INTERESTING,
    -1n,
    -8n,
    -(2n ** 31n),
    2n ** 32n,
    2n ** 32n + 8n,
    2n ** 63n - 1n,
    -(2n ** 63n),
  ),
  fc.bigInt(-100n, 1000n),
);

export const mutation: fc.Arbitrary<Mutation> = fc.record({
  how: fc.oneof(
    { weight: 10, arbitrary: fc.constant('field' as const) },
    { weight: 1, arbitrary: fc.constantFrom('byte', 'truncate', 'extend', 'cells') },
  ),
  where: fc.nat(),
  value: interesting,
});

/** A program of some operations that only makes the system calls that the model knows. */
export function randomTape(calls: ReturnType<typeof modelled>): fc.Arbitrary<RawProgram> {
  const sizes = fc.record({
    opCount: fc.integer({ min: 1, max: 12 }),
    dataSize: fc.integer({ min: 0, max: 5 }).map((words) => 8 * words),
    cellsSize: fc.integer({ min: 1, max: 5 }).map((words) => STACK_SIZE + 8 * words),
  });
  return sizes.chain(({ opCount, dataSize, cellsSize }) => {
    const dataOffset = HEADER.SIZE + opCount * OP.SIZE;
    const word = fc.nat((cellsSize - STACK_SIZE) / 8 - 1).map((index) => STACK_SIZE + 8 * index);
    const value = word.map((offset) => ({ kind: ARG.VALUE as number, value: BigInt(offset) }));
    const address: fc.Arbitrary<RawArg> = fc.oneof(
      fc.nat(dataSize).map((offset) => ({ kind: ARG.DATA, value: BigInt(dataOffset + offset) })),
      fc
        .integer({ min: STACK_SIZE, max: cellsSize - 1 })
        .map((offset) => ({ kind: ARG.CELL, value: BigInt(offset) })),
    );
    const immediate = interesting.map((number): RawArg => ({ kind: ARG.IMMEDIATE, value: number }));
    const arg = fc.oneof(immediate, value, address);
    const store = word.map((offset) => offset + 1);
    const base = (kind: number, nr: fc.Arbitrary<number>, args: fc.Arbitrary<readonly RawArg[]>) =>
      fc.record({
        kind: fc.constant(kind),
        nr,
        args,
        store: kind === KIND.SET ? store : fc.constant(0),
        target: fc.nat(opCount - 1),
        errnos: fc.constant<readonly number[]>([]),
      });
    const syscall = fc.record({
      kind: fc.constant(KIND.SYSCALL as number),
      nr: fc.constantFrom(calls.umask, calls.umask, calls.yield, calls.missing, calls.missing),
      args: fc.array(arg, { maxLength: 6 }),
      store: fc.oneof(store, fc.constant(0)),
      target: fc.nat(opCount - 1),
      errnos: fc.array(fc.constantFrom(0, 1, 38, 38, ERRNO_ANY), { maxLength: 4 }),
    });
    const length = fc
      .integer({ min: -2, max: 8 })
      .map((n): RawArg => ({ kind: ARG.IMMEDIATE, value: BigInt(n) }));
    const text = fc.tuple(
      address,
      fc.oneof({ weight: 5, arbitrary: length }, { weight: 1, arbitrary: value }),
    );
    const notify = fc.tuple(arg, arg, text).map(([tag, number, pair]) => [tag, number, ...pair]);
    const fail = fc.tuple(text, arg).map(([pair, errno]) => [...pair, errno]);
    const report = fc.constantFrom(3n, 3n, 2n ** 32n + 3n, -1n, 5000n).map((fd) => [{ kind: 0, value: fd }]);
    const op = fc.oneof(
      { weight: 5, arbitrary: syscall },
      { weight: 3, arbitrary: base(KIND.JUMP, fc.nat(5), fc.array(arg, { maxLength: 3 })) },
      { weight: 4, arbitrary: base(KIND.SET, fc.nat(5), fc.array(arg, { maxLength: 3 })) },
      { weight: 5, arbitrary: base(KIND.NOTIFY, fc.constant(0), notify) },
      { weight: 1, arbitrary: base(KIND.FAIL, fc.constant(0), fail) },
      { weight: 1, arbitrary: base(KIND.REPORT_TO, fc.constant(0), report) },
    );
    const last = fc.oneof(
      { weight: 4, arbitrary: base(KIND.FAIL, fc.constant(0), fail) },
      { weight: 1, arbitrary: base(KIND.JUMP, fc.constant(0), fc.constant([])) },
      { weight: 4, arbitrary: base(KIND.SYSCALL, fc.constant(calls.exit), fc.array(arg, { maxLength: 2 })) },
    );
    // Most jumps go forward, or nearly every tape would be an endless loop.
    const forward = (op: RawOp, index: number): RawOp => {
      const behind = opCount - 1 - index;
      if (behind === 0 || op.target > index || op.target % 4 === 3) return op;
      return { ...op, target: index + 1 + (op.target % behind) };
    };
    return fc.record({
      ops: fc
        .tuple(fc.array(op, { minLength: opCount - 1, maxLength: opCount - 1 }), last)
        .map(([ops, end]) => [...ops, end].map(forward)),
      data: fc.uint8Array({ minLength: dataSize, maxLength: dataSize }),
      cellsSize: fc.constant(cellsSize),
    });
  });
}

const isWide = ({ kind, value }: RawArg): boolean =>
  kind === ARG.IMMEDIATE && BigInt.asIntN(32, value) !== value;

/**
 * The tape's bytes, mutated. Whatever the mutations did, a system call is one that the model knows.
 *
 * @param harmless - what a number that it doesn't know becomes
 */
export function encodeTape(
  { ops, data, cellsSize }: RawProgram,
  machine: Machine,
  mutations: readonly Mutation[],
  harmless: number,
): RawTape {
  const dataOffset = HEADER.SIZE + ops.length * OP.SIZE;
  // Immediates beyond 32 bits lie behind the data.
  const wide = ops.flatMap((op) => op.args.filter(isWide)).map((arg) => arg.value);
  const wideOffset = dataOffset + data.length;
  const bytes = Buffer.alloc(wideOffset + 8 * wide.length);
  wide.forEach((value, i) => {
    bytes.writeBigInt64LE(BigInt.asIntN(64, value), wideOffset + 8 * i);
  });
  let wideAt = wideOffset;
  bytes.writeUInt32LE(MAGIC, HEADER.MAGIC);
  bytes.writeUInt16LE(VERSION, HEADER.VERSION);
  bytes.writeUInt16LE(machine === 'x64' ? MACHINE.X64 : MACHINE.ARM64, HEADER.MACHINE);
  bytes.writeUInt32LE(ops.length, HEADER.OP_COUNT);
  bytes.writeUInt32LE(dataOffset, HEADER.DATA_OFFSET);
  bytes.writeUInt32LE(bytes.length, HEADER.TAPE_SIZE);
  bytes.writeUInt32LE(cellsSize, HEADER.CELLS_SIZE);
  bytes.writeInt32LE(REPORT_FD, HEADER.REPORT_FD);
  ops.forEach((op, index) => {
    const at = HEADER.SIZE + index * OP.SIZE;
    bytes.writeUInt16LE(op.kind, at + OP.KIND);
    bytes.writeUInt16LE(op.nr, at + OP.NR);
    bytes.writeUInt16LE(
      op.args.reduce((kinds, arg, k) => kinds | (arg.kind << (2 * k)), 0),
      at + OP.ARG_KINDS,
    );
    bytes.writeUInt16LE(
      op.args.reduce((bits, arg, k) => bits | (isWide(arg) ? 1 << k : 0), 0),
      at + OP.WIDE,
    );
    op.args.forEach((arg, k) => {
      if (isWide(arg)) {
        bytes.writeUInt32LE(wideAt, at + OP.ARG + 4 * k);
        wideAt += 8;
      } else bytes.writeInt32LE(Number(arg.value), at + OP.ARG + 4 * k);
    });
    bytes.writeUInt32LE(op.store, at + OP.STORE);
    bytes.writeUInt32LE(op.target, at + OP.TARGET);
    op.errnos.forEach((errno, i) => {
      bytes.writeUInt16LE(errno, at + OP.ERRNOS + 2 * i);
    });
  });
  bytes.set(data, dataOffset);

  let tape: { bytes: Buffer; cellsSize: number } = { bytes, cellsSize };
  const known = new Set(ops.filter((op) => op.kind === KIND.SYSCALL).map((op) => op.nr));
  for (const one of mutations) tape = mutate(tape, ops.length, one);
  for (let at = HEADER.SIZE; at + OP.SIZE <= tape.bytes.length; at += OP.SIZE)
    if (
      tape.bytes.readUInt16LE(at + OP.KIND) === KIND.SYSCALL &&
      !known.has(tape.bytes.readUInt16LE(at + OP.NR))
    )
      tape.bytes.writeUInt16LE(harmless, at + OP.NR);
  return tape;
}

/** Offset and width of every field of the header and of an operation. */
const HEADER_FIELDS: readonly (readonly [number, number])[] = [
  [HEADER.MAGIC, 4],
  [HEADER.VERSION, 2],
  [HEADER.MACHINE, 2],
  [HEADER.OP_COUNT, 4],
  [HEADER.DATA_OFFSET, 4],
  [HEADER.TAPE_SIZE, 4],
  [HEADER.CELLS_SIZE, 4],
  [HEADER.REPORT_FD, 4],
  [HEADER.RESERVED, 4],
];
const OP_FIELDS: readonly (readonly [number, number])[] = [
  [OP.KIND, 2],
  [OP.NR, 2],
  [OP.ARG_KINDS, 2],
  [OP.WIDE, 2],
  ...[0, 1, 2, 3, 4, 5].map((k) => [OP.ARG + 4 * k, 4] as const),
  [OP.STORE, 4],
  [OP.TARGET, 4],
  ...[0, 1, 2, 3].map((i) => [OP.ERRNOS + 2 * i, 2] as const),
];

function mutate(
  tape: { bytes: Buffer; cellsSize: number },
  opCount: number,
  { how, where, value }: Mutation,
) {
  const { bytes, cellsSize } = tape;
  switch (how) {
    case 'truncate':
      return { bytes: Buffer.from(bytes.subarray(0, where % (bytes.length + 1))), cellsSize };
    case 'extend':
      return { bytes: Buffer.concat([bytes, Buffer.alloc(1 + (where % 100))]), cellsSize };
    case 'cells':
      return { bytes, cellsSize: STACK_SIZE - 16 + Number(BigInt.asUintN(6, value)) };
    case 'byte':
      if (bytes.length > 0) bytes[where % bytes.length] = Number(BigInt.asUintN(8, value));
      return tape;
    case 'field': {
      // One in eight in the header, which has as many fields as an operation.
      const list = where % 8 === 0 ? HEADER_FIELDS : OP_FIELDS;
      const base = where % 8 === 0 ? 0 : HEADER.SIZE + ((where >> 7) % opCount) * OP.SIZE;
      const [offset, width] = list[(where >> 3) % list.length]!;
      if (base + offset + width > bytes.length) return tape;
      const unsigned = BigInt.asUintN(8 * width, value);
      if (width === 8) bytes.writeBigUInt64LE(unsigned, base + offset);
      else bytes.writeUIntLE(Number(unsigned), base + offset, width);
      return tape;
    }
  }
}
