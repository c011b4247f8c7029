/**
 * What a planner appends to a tape, in terms of two ways to write: a system call, and any other operation.
 *
 * @module
 */

import { CONDITION, KIND, MACHINE, MESSAGE, OPERATOR, STACK_SIZE, VERSION } from './abi.ts';
import type { Arg, Cell, Condition, Label, Op, OpOptions, ProgramBuilder, SetOperator } from './program.ts';
import { addCell, sizeOfCells } from './program.ts';
import type { Machine, SyscallArgs, SyscallName } from './syscalls.ts';
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

/** Appends operations to a tape that is kept by whoever extends this. */
export abstract class TapeOperations implements ProgramBuilder {
  readonly machine: Machine;
  readonly cells: Cell[];
  /** The config field that the next operation belongs to, for the texts of errors. */
  protected field: string | undefined;

  /** @param cells - those that the operations use, of a program that is there already */
  constructor(machine: Machine, cells: Cell[]) {
    this.machine = machine;
    this.cells = cells;
  }

  abstract call<N extends SyscallName>(name: N, args: SyscallArgs<N>, options?: OpOptions): void;

  /**
   * Appends what is no system call.
   *
   * @param first - its first word: kind, and what it has in the place of a system call's number
   * @param store - the cell for its result, or null
   * @param label - where it may go, or null
   */
  protected abstract operation(
    name: Exclude<Op['kind'], 'syscall'>,
    first: number,
    args: readonly Arg[],
    store: Cell | null,
    storeOffset: number,
    label: Label | null,
  ): void;

  /** Operations so far. */
  protected abstract count(): number;

  /**
   * Gives the tape; nothing can be appended afterwards.
   *
   * @throws {RuntsError} E_INTERNAL for a program that the executor would refuse
   */
  abstract finish(descriptors: TapeDescriptors): Tape;

  cell(name: string, size = 8): Cell {
    return addCell(this.cells, name, size);
  }

  label(name: string): Label {
    return { name, index: -1 };
  }

  place(label: Label): void {
    label.index = this.count();
  }

  within<T>(field: string, build: () => T): T {
    const outer = this.field;
    this.field = field;
    const result = build();
    this.field = outer;
    return result;
  }

  jump(target: Label): void {
    this.operation('jump', KIND.JUMP | (CONDITION.ALWAYS << 16), [], null, 0, target);
  }

  jumpIf(left: Arg, condition: Exclude<Condition, 'always'>, right: Arg, target: Label): void {
    this.conditional(condition, [left, right], target);
  }

  set(store: Cell, left: Arg, operator: SetOperator = '', right: Arg = 0, storeOffset = 0): void {
    const first = KIND.SET | (OPERATOR_NUMBERS[operator] << 16);
    this.operation('set', first, [left, right], store, storeOffset, null);
  }

  notify(tag: Arg, value: Arg = 0, text: Arg = null, length: Arg = 0): void {
    this.operation('notify', KIND.NOTIFY, [tag, value, text, textLength(text, length)], null, 0, null);
  }

  fail(text: Arg = null, length: Arg = 0, errno: Arg = 0): void {
    this.operation('fail', KIND.FAIL, [text, textLength(text, length), errno], null, 0, null);
  }

  reportTo(fd: Arg): void {
    this.operation('reportTo', KIND.REPORT_TO, [fd], null, 0, null);
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

  /** The word of the header that has the version and the machine. */
  protected versionWord(): number {
    return VERSION | ((this.machine === 'arm64' ? MACHINE.ARM64 : MACHINE.X64) << 16);
  }

  protected cellsSize(): number {
    return sizeOfCells(this.cells) || STACK_SIZE + 8;
  }

  private conditional(condition: Condition, args: readonly Arg[], target: Label): void {
    this.operation('jump', KIND.JUMP | (CONDITION_NUMBERS[condition] << 16), args, null, 0, target);
  }
}

/** A literal text whose length is left out (0) is sent whole. */
function textLength(text: Arg, length: Arg): Arg {
  if (typeof text !== 'string' || length !== 0) return length;
  return Math.min(utf8Length(text), MESSAGE.TEXT_LIMIT);
}
