/**
 * The writer of tapes under QuickJS: tape.c does the work, and ../tape-writer.ts tells what is wrong.
 *
 * @module
 */

import { RuntsError } from '../../src/errors.ts';
import { IMAGE } from '../abi.ts';
import { CALL_WORDS } from '../call-words.ts';
import { ERRNO } from '../constants/errno.ts';
import type { Arg, Cell, Label, Op, OpOptions, ProgramBuilder } from '../program.ts';
import type { Machine, SyscallArgs, SyscallName } from '../syscalls.ts';
import { type Tape, type TapeDescriptors, TapeOperations } from '../tape-operations.ts';
import { TapeWriter as PlainTapeWriter } from '../tape-writer.ts';
import { host } from './host.ts';

/** Writes what ../tape-writer.ts writes, byte for byte. */
export class TapeWriter extends TapeOperations implements ProgramBuilder {
  /** tape.c finds it by this name. */
  readonly tape: object;
  declare call: TapeOperations['call'];
  declare protected count: () => number;
  declare private write: typeof host.tape.operation;

  static {
    const { prototype } = TapeWriter;
    prototype.call = host.tape.call;
    prototype.count = host.tape.count;
    prototype.write = host.tape.operation;
  }

  constructor(machine: Machine, cells: Cell[] = []) {
    super(machine, cells);
    this.tape = host.tape.create(CALL_WORDS[machine], ERRNO, cells);
  }

  finish({ fds, reportFd }: TapeDescriptors): Tape {
    const cellsSize = this.cellsSize();
    const file = host.tape.link(this.tape, fds, this.versionWord(), cellsSize, reportFd);
    if (file === null)
      throw new RuntsError('E_INTERNAL', 'tape: a label is not placed, or a descriptor not handed over');
    return { bytes: new Uint8Array(file, IMAGE.TAPE_OFFSET), cellsSize };
  }

  protected operation(
    name: Exclude<Op['kind'], 'syscall'>,
    first: number,
    args: readonly Arg[],
    store: Cell | null,
    storeOffset: number,
    label: Label | null,
  ): void {
    if (this.write(first, args, store, storeOffset, label)) return;
    throw this.told((writer) => writer.operation(name, first, args, store, storeOffset, label));
  }

  /** Called from C for a system call that it can't write. */
  protected refused<N extends SyscallName>(name: N, args: SyscallArgs<N>, options?: OpOptions): never {
    throw this.told((writer) => writer.call(name, args, options));
  }

  private told(write: (writer: PlainTapeWriter) => void): unknown {
    try {
      const writer = new PlainTapeWriter(this.machine, this.cells);
      writer.within(this.field!, () => write(writer));
    } catch (error) {
      return error;
    }
    return new RuntsError('E_INTERNAL', 'tape: an operation was refused without a reason');
  }
}
