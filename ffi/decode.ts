/**
 * The assembler's opposite: tells what is in a tape, and whether the executor would accept it.
 *
 * It is written from abi.ts alone, not from the executor or the assembler, so that tests can hold each against it.
 *
 * @module
 */

import {
  ARG,
  CONDITION,
  HEADER,
  IMAGE,
  INDEX_HEADER,
  KIND,
  MACHINE,
  MAGIC,
  OP,
  REASON,
  STACK_SIZE,
  VERSION,
} from './abi.ts';
import { type Machine, SYSCALLS, type SyscallName } from './syscalls.ts';

export const KIND_NAMES = ['syscall', 'jump', 'set', 'notify', 'fail', 'reportTo'] as const;
export const ARG_NAMES = ['immediate', 'data', 'cell', 'value'] as const;

export interface DecodedArg {
  readonly kind: (typeof ARG_NAMES)[number];
  readonly value: bigint;
}

export interface DecodedOp {
  readonly kind: (typeof KIND_NAMES)[number];
  /** System call, condition or operator. */
  readonly nr: number;
  /** Always six. */
  readonly args: readonly DecodedArg[];
  /** Offset of the cell that takes the result. */
  readonly store: number | undefined;
  readonly target: number;
  /** Those that are not 0. */
  readonly errnos: readonly number[];
}

export interface DecodedTape {
  readonly machine: Machine;
  readonly cellsSize: number;
  readonly reportFd: number;
  readonly dataOffset: number;
  readonly ops: readonly DecodedOp[];
}

/** Which rule a tape breaks first. */
export interface Refusal {
  /** Of the operation; {@link INDEX_HEADER} for the header. */
  readonly index: number;
  /** {@link REASON}. */
  readonly reason: number;
}

/**
 * Decodes a tape.
 *
 * @throws {RangeError} when it isn't one, or is shorter than its header says
 */
export function decodeTape(bytes: Uint8Array): DecodedTape {
  const view = viewOf(bytes);
  if (view.getUint32(HEADER.MAGIC, true) !== MAGIC) throw new RangeError('not a tape');
  const machine = view.getUint16(HEADER.MACHINE, true) === MACHINE.ARM64 ? 'arm64' : 'x64';
  const opCount = view.getUint32(HEADER.OP_COUNT, true);
  const ops: DecodedOp[] = [];
  for (let index = 0; index < opCount; index++) ops.push(decodeOp(view, index));
  return {
    machine,
    cellsSize: view.getUint32(HEADER.CELLS_SIZE, true),
    reportFd: view.getInt32(HEADER.REPORT_FD, true),
    dataOffset: view.getUint32(HEADER.DATA_OFFSET, true),
    ops,
  };
}

function decodeOp(view: DataView, index: number): DecodedOp {
  const at = HEADER.SIZE + index * OP.SIZE;
  const argKinds = view.getUint16(at + OP.ARG_KINDS, true);
  const store = view.getUint32(at + OP.STORE, true);
  const kind = KIND_NAMES[view.getUint16(at + OP.KIND, true)];
  if (kind === undefined) throw new RangeError(`operation ${index} is of no known kind`);
  const args: DecodedArg[] = [];
  for (let k = 0; k < 6; k++)
    args.push({
      kind: ARG_NAMES[(argKinds >> (2 * k)) & 3]!,
      value: argumentAt(view, at, k),
    });
  return {
    kind,
    nr: view.getUint16(at + OP.NR, true),
    args,
    store: store === 0 ? undefined : store - 1,
    target: view.getUint32(at + OP.TARGET, true),
    errnos: [0, 1, 2, 3]
      .map((i) => view.getUint16(at + OP.ERRNOS + 2 * i, true))
      .filter((errno) => errno !== 0),
  };
}

/** An argument: an address is its unsigned offset. */
function argumentAt(view: DataView, at: number, k: number): bigint {
  const offset = at + OP.ARG + 4 * k;
  if ((view.getUint16(at + OP.WIDE, true) >> k) & 1)
    return view.getBigInt64(view.getUint32(offset, true), true);
  const kind = (view.getUint16(at + OP.ARG_KINDS, true) >> (2 * k)) & 3;
  return BigInt(kind === ARG.IMMEDIATE ? view.getInt32(offset, true) : view.getUint32(offset, true));
}

/** The NUL-terminated string at an offset of the tape. */
export function stringAt(bytes: Uint8Array, offset: number | bigint): string {
  const start = Number(offset);
  const end = bytes.indexOf(0, start);
  if (end < 0) throw new RangeError(`no string at ${start}`);
  return new TextDecoder().decode(bytes.subarray(start, end));
}

/** The 64-bit word at an offset of the tape. */
export function wordAt(bytes: Uint8Array, offset: number | bigint): bigint {
  return viewOf(bytes).getBigInt64(Number(offset), true);
}

/** The strings of a NULL-terminated array of pointers at an offset of the tape, as execve(2) takes it. */
export function stringArrayAt(bytes: Uint8Array, offset: number | bigint): string[] {
  const strings: string[] = [];
  for (let at = Number(offset); ; at += 8) {
    const address = wordAt(bytes, at);
    if (address === 0n) return strings;
    strings.push(stringAt(bytes, address - BigInt(IMAGE.TAPE_BASE)));
  }
}

/** The name of a system call's number. */
export function syscallName(nr: number, machine: Machine): SyscallName | undefined {
  for (const [name, syscall] of Object.entries(SYSCALLS))
    if (syscall[machine] === nr) return name as SyscallName;
  return undefined;
}

/**
 * The executor's verdict on a tape, by the rules of abi.ts.
 *
 * @param bytes - what the image maps as the tape
 * @param cellsSize - what the image maps as cells
 * @param machine - the executor's
 * @returns the first broken rule, or undefined for a tape that is performed
 */
export function validateTape(bytes: Uint8Array, cellsSize: number, machine: Machine): Refusal | undefined {
  const view = viewOf(bytes);
  const header = (reason: number): Refusal => ({ index: INDEX_HEADER, reason });
  if (bytes.length < HEADER.SIZE || view.getUint32(HEADER.MAGIC, true) !== MAGIC) return header(REASON.MAGIC);
  if (view.getUint16(HEADER.VERSION, true) !== VERSION) return header(REASON.VERSION);
  const eMachine = machine === 'x64' ? MACHINE.X64 : MACHINE.ARM64;
  if (view.getUint16(HEADER.MACHINE, true) !== eMachine) return header(REASON.MACHINE);
  if (view.getUint32(HEADER.TAPE_SIZE, true) !== bytes.length) return header(REASON.TAPE_SIZE);
  const declared = view.getUint32(HEADER.CELLS_SIZE, true);
  if (declared !== cellsSize || declared <= STACK_SIZE || declared % 8 !== 0)
    return header(REASON.CELLS_SIZE);
  const opCount = view.getUint32(HEADER.OP_COUNT, true);
  const dataOffset = view.getUint32(HEADER.DATA_OFFSET, true);
  if (opCount === 0 || dataOffset !== HEADER.SIZE + opCount * OP.SIZE || dataOffset > bytes.length)
    return header(REASON.LAYOUT);
  if (view.getUint32(HEADER.RESERVED, true) !== 0) return header(REASON.RESERVED);

  const bounds = { opCount, dataOffset, tapeSize: bytes.length, cellsSize };
  for (let index = 0; index < opCount; index++) {
    const reason = validateOp(view, HEADER.SIZE + index * OP.SIZE, bounds);
    if (reason !== undefined) return { index, reason };
  }
  const last = HEADER.SIZE + (opCount - 1) * OP.SIZE;
  const kind = view.getUint16(last + OP.KIND, true);
  const nr = view.getUint16(last + OP.NR, true);
  const ends =
    kind === KIND.FAIL ||
    (kind === KIND.JUMP && nr === CONDITION.ALWAYS) ||
    (kind === KIND.SYSCALL && nr === SYSCALLS.exit_group[machine]);
  return ends ? undefined : { index: opCount - 1, reason: REASON.END };
}

/** Whether there is a 64-bit word at an offset of the cells. */
function isWord(offset: number, cellsSize: number): boolean {
  return offset >= STACK_SIZE && offset + 8 <= cellsSize && offset % 8 === 0;
}

/** The highest `nr` of each kind. */
const HIGHEST_NR = [0xffff, 5, 5, 0, 0, 0];

function validateOp(
  view: DataView,
  at: number,
  bounds: { opCount: number; dataOffset: number; tapeSize: number; cellsSize: number },
): number | undefined {
  const kind = view.getUint16(at + OP.KIND, true);
  const wide = view.getUint16(at + OP.WIDE, true);
  if (wide >= 1 << 6) return REASON.RESERVED;
  const highest = HIGHEST_NR[kind];
  if (highest === undefined) return REASON.KIND;
  if (view.getUint16(at + OP.NR, true) > highest) return REASON.NUMBER;
  const argKinds = view.getUint16(at + OP.ARG_KINDS, true);
  if (argKinds >= 1 << 12) return REASON.ARG_KINDS;
  for (let k = 0; k < 6; k++) {
    const arg = view.getUint32(at + OP.ARG + 4 * k, true);
    const argKind = (argKinds >> (2 * k)) & 3;
    if ((wide >> k) & 1) {
      if (argKind !== ARG.IMMEDIATE) return REASON.ARG_KINDS;
      if (arg < bounds.dataOffset || arg + 8 > bounds.tapeSize || arg % 8 !== 0) return REASON.DATA;
    }
    if (argKind === ARG.DATA && (arg < bounds.dataOffset || arg > bounds.tapeSize)) return REASON.DATA;
    if (argKind === ARG.CELL && (arg < STACK_SIZE || arg >= bounds.cellsSize)) return REASON.CELL;
    if (argKind === ARG.VALUE && !isWord(arg, bounds.cellsSize)) return REASON.VALUE;
  }
  const store = view.getUint32(at + OP.STORE, true);
  if (store === 0) {
    if (kind === KIND.SET) return REASON.STORE;
  } else if (!isWord(store - 1, bounds.cellsSize)) {
    return REASON.STORE;
  }
  const tolerates = view.getBigUint64(at + OP.ERRNOS, true) !== 0n;
  if ((kind === KIND.JUMP || tolerates) && view.getUint32(at + OP.TARGET, true) >= bounds.opCount)
    return REASON.TARGET;
  return undefined;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The name of a {@link REASON}, e.g. `TARGET`. */
export function reasonName(reason: number): string {
  for (const [name, number] of Object.entries(REASON)) if (number === reason) return name;
  return `reason ${reason}`;
}
