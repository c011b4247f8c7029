/**
 * A model of the executor in TypeScript, written from abi.ts, to hold the real one against on random tapes.
 *
 * It knows a few system calls that do no harm with any argument and whose results are known beforehand.
 *
 * @module
 */

import { ERRNO_ANY, EXIT, IMAGE, MESSAGE, REASON, TYPE } from '../abi.ts';
import { type DecodedArg, type DecodedOp, decodeTape, validateTape } from '../decode.ts';
import { type Machine, SYSCALLS } from '../syscalls.ts';
import { REPORT_FD } from './harness.ts';

/** What the executor should report and exit with. */
export interface Outcome {
  readonly report: Buffer;
  readonly status: number;
}

/** Numbers of the system calls that the model knows. */
export function modelled(machine: Machine): { umask: number; exit: number; yield: number; missing: number } {
  return {
    /** Returns the umask before and keeps the lowest nine bits of its argument. */
    umask: SYSCALLS.umask[machine],
    exit: SYSCALLS.exit_group[machine],
    /** sched_yield: 0, whatever its arguments. */
    yield: machine === 'x64' ? 24 : 124,
    /** No system call: ENOSYS, whatever its arguments. */
    missing: 0xfff,
  };
}

const ENOSYS = 38n;
const STEP_LIMIT = 2000;

/**
 * What happens to a tape.
 *
 * @param cellsSize - as the image says
 * @returns undefined where the model can't tell: an endless loop, an address outside the tape and the cells
 */
export function predict(bytes: Uint8Array, cellsSize: number, machine: Machine): Outcome | undefined {
  const refusal = validateTape(bytes, cellsSize, machine);
  if (refusal?.reason === REASON.MAGIC) return { report: Buffer.alloc(0), status: EXIT.REFUSED };
  const reportFd = new DataView(bytes.buffer, bytes.byteOffset).getInt32(24, true);
  if (refusal !== undefined) {
    if (!isKnownFd(reportFd)) return undefined;
    const message = encode(TYPE.REFUSED, refusal.index, BigInt(refusal.reason));
    return { report: reportFd === REPORT_FD ? message : Buffer.alloc(0), status: EXIT.REFUSED };
  }
  return new Model(bytes, cellsSize, machine, reportFd).run();
}

/** Descriptors 0 to 2 are open too, and others may be. */
function isKnownFd(fd: number): boolean {
  return fd === REPORT_FD || fd < 0 || fd > 1000;
}

function encode(
  type: number,
  index: number,
  a: bigint,
  b = 0n,
  text: Uint8Array = new Uint8Array(0),
): Buffer {
  const message = Buffer.alloc(MESSAGE.SIZE);
  message.writeUInt32LE(type, MESSAGE.TYPE);
  message.writeUInt32LE(index >>> 0, MESSAGE.INDEX);
  message.writeBigInt64LE(a, MESSAGE.A);
  message.writeBigInt64LE(b, MESSAGE.B);
  message.writeUInt32LE(text.length, MESSAGE.TEXT_LENGTH);
  return Buffer.concat([message, text]);
}

class Model {
  readonly #bytes: Buffer;
  readonly #cells: Buffer;
  readonly #machine: Machine;
  readonly #ops: readonly DecodedOp[];
  readonly #messages: Buffer[] = [];
  #fd: number;
  #umask = 0o22n;
  #failure: { index: number; errno: bigint } | undefined;

  constructor(bytes: Uint8Array, cellsSize: number, machine: Machine, reportFd: number) {
    this.#bytes = Buffer.from(bytes);
    this.#cells = Buffer.alloc(cellsSize);
    this.#machine = machine;
    this.#ops = decodeTape(bytes).ops;
    this.#fd = reportFd;
  }

  run(): Outcome | undefined {
    let index = 0;
    for (let step = 0; step < STEP_LIMIT; step++) {
      const next = this.#perform(this.#ops[index]!, index);
      if (next === undefined) return undefined;
      if (typeof next === 'object') return { report: Buffer.concat(this.#messages), status: next.exit };
      index = next;
    }
    return undefined;
  }

  /** The index of the next operation, or an exit status, or undefined for what isn't modelled. */
  #perform(op: DecodedOp, index: number): number | { exit: number } | undefined {
    const v = op.args.map((arg) => this.#value(arg));
    const [v0, v1, v2, v3] = v as [bigint, bigint, bigint, bigint];
    switch (op.kind) {
      case 'syscall':
        return this.#call(op, v0, index);
      case 'jump': {
        const holds = [true, v0 === v1, v0 !== v1, v0 < v1, v0 >= v1, (v0 & v1) !== 0n][op.nr];
        return holds ? op.target : index + 1;
      }
      case 'set': {
        const unsigned = BigInt.asUintN(64, v0);
        const count = BigInt.asUintN(6, v1);
        const result = [v0, v0 + v1, v0 & v1, v0 | v1, v0 << count, unsigned >> count][op.nr]!;
        this.#cells.writeBigInt64LE(BigInt.asIntN(64, result), op.store!);
        return index + 1;
      }
      case 'notify':
        return this.#report(TYPE.NOTE, index, v0, v1, v2, v3, () => index + 1);
      case 'fail': {
        const failure = v2 === 0n && this.#failure !== undefined ? this.#failure : { index, errno: v2 };
        return this.#report(TYPE.FAIL, failure.index, failure.errno, 0n, v0, v1, () => ({
          exit: EXIT.FAILED,
        }));
      }
      case 'reportTo':
        this.#fd = Number(BigInt.asIntN(32, v0));
        return index + 1;
    }
  }

  #call(op: DecodedOp, v0: bigint, index: number): number | { exit: number } | undefined {
    const known = modelled(this.#machine);
    let result: bigint;
    if (op.nr === known.exit) return { exit: Number(BigInt.asUintN(8, v0)) };
    if (op.nr === known.umask) {
      result = this.#umask;
      this.#umask = v0 & 0o777n;
    } else if (op.nr === known.yield) result = 0n;
    else if (op.nr === known.missing) result = -ENOSYS;
    else return undefined;
    if (op.store !== undefined) this.#cells.writeBigInt64LE(result, op.store);
    if (result >= 0n) return index + 1;
    if (!op.errnos.includes(Number(ENOSYS)) && !op.errnos.includes(ERRNO_ANY))
      return this.#report(TYPE.FAIL, index, ENOSYS, 0n, 0n, 0n, () => ({ exit: EXIT.FAILED }));
    if (op.target !== index + 1) this.#failure = { index, errno: ENOSYS };
    return op.target;
  }

  #report<T>(
    type: number,
    index: number,
    a: bigint,
    b: bigint,
    address: bigint,
    length: bigint,
    then: () => T,
  ): T | { exit: number } | undefined {
    if (!isKnownFd(this.#fd)) return undefined;
    const size = Math.max(0, Math.min(Number(length), MESSAGE.TEXT_LIMIT));
    const text = size === 0 ? Buffer.alloc(0) : this.#memory(address, size);
    if (text === undefined) return undefined;
    if (this.#fd !== REPORT_FD) return { exit: EXIT.FAILED };
    this.#messages.push(encode(type, index, a, b, text));
    return then();
  }

  #value(arg: DecodedArg): bigint {
    switch (arg.kind) {
      case 'immediate':
        return arg.value;
      case 'data':
        return arg.value + BigInt(IMAGE.TAPE_BASE);
      case 'cell':
        return arg.value + BigInt(IMAGE.CELLS_BASE);
      case 'value':
        return this.#cells.readBigInt64LE(Number(arg.value));
    }
  }

  #memory(address: bigint, size: number): Buffer | undefined {
    for (const [base, memory] of [
      [IMAGE.TAPE_BASE, this.#bytes],
      [IMAGE.CELLS_BASE, this.#cells],
    ] as const) {
      const offset = address - BigInt(base);
      if (offset >= 0n && offset + BigInt(size) <= memory.length)
        return Buffer.from(memory.subarray(Number(offset), Number(offset) + size));
    }
    return undefined;
  }
}
