/**
 * A program for the executor in symbolic form: operations with named cells, labels and descriptors.
 *
 * The plan builds programs, the assembler (tape.ts) turns them into bytes, and `runts plan` prints them. Nothing here
 * does any I/O. The meaning of each operation is defined in abi.ts.
 *
 * @module
 */

import { STACK_SIZE } from './abi.ts';
import type { SyscallArgs, SyscallName } from './syscalls.ts';

/** Zero-initialised memory of the running executor, named for the reader of a plan. */
export interface Cell {
  readonly kind: 'cell';
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Its place in the list of its program's cells. */
  readonly index: number;
  /** Offset in the executor's memory for cells, a multiple of 8, behind the stack. */
  readonly offset: number;
}

/** The address of a cell (plus a byte offset), as an argument. */
export interface CellAddress {
  readonly kind: 'cellAddress';
  readonly cell: Cell;
  readonly offset: number;
}

/** The 64-bit word in a cell (at a byte offset, a multiple of 8), as an argument. */
export interface CellValue {
  readonly kind: 'cellValue';
  readonly cell: Cell;
  readonly offset: number;
}

/** A descriptor that the parent hands to the executor, by name; its number is known when the tape is assembled. */
export interface HandedFd {
  readonly kind: 'fd';
  readonly name: string;
}

/** The address of constant bytes in the tape. `text` is what a plan prints for them. */
export interface Bytes {
  readonly kind: 'bytes';
  readonly bytes: Uint8Array;
  readonly text?: string;
}

/** The address of a constant structure of 64-bit words in the tape; strings and cells in it become absolute addresses. */
export interface Words {
  readonly kind: 'words';
  readonly words: readonly (number | bigint | string | CellAddress | HandedFd | Bytes | Words)[];
  /** `argv` prints as a list of strings; anything else is the name of a C structure. */
  readonly text: string;
}

/** An argument of an operation. A string is the address of its NUL-terminated UTF-8 bytes; null is 0 as an address. */
export type Arg = number | bigint | string | null | CellAddress | CellValue | HandedFd | Bytes | Words;

/** A place in the program that jumps and error policies name. */
export interface Label {
  readonly name: string;
  /** Index of the operation it stands before; -1 until placed. */
  index: number;
}

/** Names of errnos as in errno(3), or `any`. At most four. */
export type Errnos = readonly string[] | 'any';

/** What an operation belongs to and how it treats failure. */
export interface OpOptions {
  /** The config field this operation comes from, e.g. `mounts[2]`; inherited from {@link Program.within} when absent. */
  field?: string;
  /** Why, in a few words, for the plan's reader. */
  note?: string;
  /** Errnos that are no failure; the program goes on at `goto`, or at the next operation. */
  tolerate?: Errnos;
  goto?: Label;
  /** Where the result goes (8 bytes; negative errno on error). */
  store?: Cell;
}

export const CONDITIONS = ['always', '==', '!=', '<', '>=', '&'] as const;
export type Condition = (typeof CONDITIONS)[number];

export const SET_OPERATORS = ['', '+', '&', '|', '<<', '>>'] as const;
export type SetOperator = (typeof SET_OPERATORS)[number];

interface OpBase {
  field?: string;
  note?: string;
}

export interface SyscallOp extends OpBase {
  kind: 'syscall';
  name: SyscallName;
  args: readonly Arg[];
  tolerate?: Errnos;
  goto?: Label;
  store?: Cell;
}
export interface JumpOp extends OpBase {
  kind: 'jump';
  condition: Condition;
  args: readonly Arg[];
  target: Label;
}
export interface SetOp extends OpBase {
  kind: 'set';
  operator: SetOperator;
  args: readonly Arg[];
  store: Cell;
  storeOffset: number;
}
/** args: tag, value, text address, text length. */
export interface NotifyOp extends OpBase {
  kind: 'notify';
  args: readonly Arg[];
}
/** args: text address, text length, errno; 0 for that of the remembered failure. */
export interface FailOp extends OpBase {
  kind: 'fail';
  args: readonly Arg[];
}
export interface ReportToOp extends OpBase {
  kind: 'reportTo';
  args: readonly Arg[];
}
export type Op = SyscallOp | JumpOp | SetOp | NotifyOp | FailOp | ReportToOp;

/** The address of a cell. */
export function addressOf(cell: Cell, offset = 0): CellAddress {
  return { kind: 'cellAddress', cell, offset };
}

/** The 64-bit value of a cell. */
export function valueIn(cell: Cell, offset = 0): CellValue {
  return { kind: 'cellValue', cell, offset };
}

/** A descriptor handed by the parent. */
export function handed(name: string): HandedFd {
  return { kind: 'fd', name };
}

/** Constant bytes. */
export function bytes(content: Uint8Array, text?: string): Bytes {
  return { kind: 'bytes', bytes: content, text };
}

/**
 * A constant structure of 64-bit words. The kernel can read it but not write it: what a call fills in is a cell.
 *
 * @param text - the C structure's name, by which it is printed with its fields; see format-args.ts for those known
 */
export function words(text: string, content: Words['words']): Words {
  return { kind: 'words', words: content, text };
}

/** A NULL-terminated array of strings, as execve(2) takes it. */
export function stringArray(strings: readonly string[]): Words {
  return { kind: 'words', words: [...strings, 0], text: 'argv' };
}

/** From this size on a cell is large: room for what may be long, of which mostly the beginning is used. */
const LARGE = 1024;
/** Where the large cells begin, so that what is touched of them and of the others is one page. */
const LARGE_OFFSET = 0xc00;

const endOf = (cell: Cell): number => cell.offset + ((cell.size + 7) & ~7);

/** Adds a cell to a list. */
export function addCell(cells: Cell[], name: string, size: number): Cell {
  const large = size >= LARGE;
  let i = cells.length - 1;
  while (i >= 0 && cells[i]!.size >= LARGE !== large) i--;
  let offset = i >= 0 ? endOf(cells[i]!) : large ? LARGE_OFFSET : STACK_SIZE;
  // Where the others have no room any more, everything follows in the order in which it comes.
  if (large || offset + size > LARGE_OFFSET) offset = Math.max(offset, sizeOfCells(cells));
  const cell: Cell = { kind: 'cell', name, size, index: cells.length, offset };
  cells.push(cell);
  return cell;
}

/** Bytes that the cells of a list take. */
export function sizeOfCells(cells: readonly Cell[]): number {
  return cells.reduce((size, cell) => Math.max(size, endOf(cell)), 0);
}

/** What a planner appends operations to: a {@link Program} to be read, or a tape (tape.ts) to be performed. */
export type ProgramBuilder = Pick<
  Program,
  'cell' | 'label' | 'place' | 'within' | 'call' | 'jump' | 'jumpIf' | 'set' | 'notify' | 'fail' | 'reportTo'
>;

/** A program under construction: append-only, in order of execution. */
export class Program {
  readonly ops: Op[] = [];
  readonly cells: Cell[] = [];
  readonly labels: Label[] = [];
  #field: string | undefined;

  /** Reserves memory of the running executor; 8 bytes unless said otherwise. */
  cell(name: string, size = 8): Cell {
    return addCell(this.cells, name, size);
  }

  /** Makes a label; {@link place} puts it before the next operation. */
  label(name: string): Label {
    const label: Label = { name, index: -1 };
    this.labels.push(label);
    return label;
  }

  place(label: Label): void {
    label.index = this.ops.length;
  }

  /** Attributes every operation that `build` appends to a config field. Calls nest; the innermost wins. */
  within<T>(field: string, build: () => T): T {
    const outer = this.#field;
    this.#field = field;
    try {
      return build();
    } finally {
      this.#field = outer;
    }
  }

  /** One system call; arguments that are left out are 0. */
  call<N extends SyscallName>(name: N, args: SyscallArgs<N>, options: OpOptions = {}): void {
    this.ops.push({
      kind: 'syscall',
      name,
      args: args as readonly Arg[],
      field: options.field ?? this.#field,
      note: options.note,
      tolerate: options.tolerate,
      goto: options.goto,
      store: options.store,
    });
  }

  jump(target: Label, note?: string): void {
    this.ops.push({ kind: 'jump', condition: 'always', args: [], target, field: this.#field, note });
  }

  jumpIf(left: Arg, condition: Exclude<Condition, 'always'>, right: Arg, target: Label, note?: string): void {
    this.ops.push({ kind: 'jump', condition, args: [left, right], target, field: this.#field, note });
  }

  /** cell = left, or cell = left operator right. */
  set(store: Cell, left: Arg, operator: SetOperator = '', right: Arg = 0, storeOffset = 0): void {
    this.ops.push({ kind: 'set', operator, args: [left, right], store, storeOffset, field: this.#field });
  }

  /** Sends {tag, value} and up to 512 bytes of text to the parent. A string is sent whole when `length` is 0. */
  notify(tag: number, value: Arg = 0, text: Arg = null, length: Arg = 0, note?: string): void {
    this.ops.push({ kind: 'notify', args: [tag, value, text, length], field: this.#field, note });
  }

  /**
   * Reports a failure of its own, with `errno`, and exits. Without `errno` it reports the failure that is remembered:
   * the last one that was tolerated and led elsewhere. A string is sent whole when `length` is 0.
   */
  fail(text: Arg = null, length: Arg = 0, errno = 0, note?: string, field?: string): void {
    this.ops.push({ kind: 'fail', args: [text, length, errno], field: field ?? this.#field, note });
  }

  /** Failures are reported on this descriptor from here on. */
  reportTo(fd: Arg, note?: string): void {
    this.ops.push({ kind: 'reportTo', args: [fd], field: this.#field, note });
  }
}
