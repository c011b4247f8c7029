/**
 * `--trace FILE`: where the time of a command went, for chrome://tracing and ui.perfetto.dev.
 *
 * Only loaded for that. The executor's part is measured in the executor: a clock_gettime(2) before each system call,
 * whose result it writes into a file in memory that it shares with us. Both use CLOCK_MONOTONIC.
 *
 * @see "Trace Event Format", the Chromium project
 * @module
 */

import { closeSync, readSync, writeFileSync } from '#files';
import { duplicate, memfdCreate } from '../ffi/descriptors.ts';
import { syscall } from '../ffi/local.ts';
import { addressOf, handed, type ProgramBuilder } from '../ffi/program.ts';
import { errnoText } from './cli/present.ts';
import { errnoOf, RuntsError } from './errors.ts';
import type { HostStep } from './plan/types.ts';

const CLOCK_MONOTONIC = 1;
/** struct timespec */
const STAMP_SIZE = 16;
/** Rows of the trace. */
const HOST = 1;
const EXECUTOR = 2;

interface Slice {
  name: string;
  cat: string;
  ph: 'X';
  /** Microseconds. */
  ts: number;
  dur: number;
  pid: number;
  tid: number;
  args?: Record<string, unknown>;
}

/** A system call of the executor, and what it is for. */
export interface MeasuredCall {
  name: string;
  field?: string;
  note?: string;
}

export class Trace {
  readonly #path: string;
  readonly #slices: Slice[] = [];
  #stamps = -1;
  #calls: readonly MeasuredCall[] = [];

  /** Begins with the time that the engine took to get here. */
  constructor(path: string) {
    this.#path = path;
    // Now, not when there is something to lose: a wrong path is told before anything is done.
    this.#write();
    this.#add('start of the program', 'engine', now() - performance.now() * 1000, now());
  }

  /** Measures what `body` does. */
  async around<Result>(name: string, body: () => Result | Promise<Result>, args?: object): Promise<Result> {
    const start = now();
    try {
      return await body();
    } finally {
      this.#add(name, 'host', start, now(), { ...args });
    }
  }

  /** As {@link around}, for a step of the plan. */
  step<Result>(step: HostStep, body: () => Result | Promise<Result>): Promise<Result> {
    const detail = 'note' in step ? ` ${step.note}` : 'phase' in step ? ` ${step.phase}` : '';
    return this.around(`${step.step}${detail}`, body, 'path' in step ? { path: step.path } : undefined);
  }

  /** Puts clocks into a program that is still empty: {@link measure}. */
  measure<P extends ProgramBuilder>(program: P): P {
    this.#calls = measure(program);
    return program;
  }

  /** The descriptor to hand to the executor as `trace`. */
  descriptor(): number {
    const fd = memfdCreate('runts-trace');
    this.#stamps = duplicate(fd);
    return fd;
  }

  /** Writes the file. */
  finish(): void {
    if (this.#stamps >= 0) this.#addStamps();
    this.#write();
  }

  #add(
    name: string,
    cat: string,
    start: number,
    end: number,
    args?: Record<string, unknown>,
    tid = HOST,
  ): void {
    this.#slices.push({ name, cat, ph: 'X', ts: start, dur: end - start, pid: process.pid, tid, args });
  }

  #addStamps(): void {
    const end = now();
    const bytes = new Uint8Array(this.#calls.length * STAMP_SIZE);
    readSync(this.#stamps, bytes, 0, bytes.length, 0);
    closeSync(this.#stamps);
    this.#stamps = -1;
    const view = new DataView(bytes.buffer);
    const stamps = this.#calls
      .map((call, i) => {
        const at = i * STAMP_SIZE;
        const seconds = Number(view.getBigInt64(at, true));
        return { call, time: seconds * 1e6 + Number(view.getBigInt64(at + 8, true)) / 1000 };
      })
      .filter(({ time }) => time > 0)
      .sort((a, b) => a.time - b.time);
    stamps.forEach(({ call: { name, ...args }, time }, i) => {
      this.#add(name, 'executor', time, stamps[i + 1]?.time ?? end, args, EXECUTOR);
    });
  }

  #write(): void {
    const name = (tid: number, text: string): object => ({
      name: 'thread_name',
      ph: 'M',
      pid: process.pid,
      tid,
      args: { name: text },
    });
    const traceEvents = [name(HOST, 'runts'), name(EXECUTOR, 'executor, then init'), ...this.#slices];
    try {
      writeFileSync(this.#path, JSON.stringify({ traceEvents, displayTimeUnit: 'ms' }));
    } catch (error) {
      throw new RuntsError('E_SYSCALL', `--trace: write ${this.#path}: ${errnoText(error)}`, {
        syscall: 'write',
        errno: errnoOf(error),
        cause: error,
      });
    }
  }
}

/** Microseconds of CLOCK_MONOTONIC. The engines' own clocks may count from elsewhere. */
function now(): number {
  const time = new BigInt64Array(2);
  syscall('clock_gettime', [CLOCK_MONOTONIC, time]);
  return Number(time[0]) * 1e6 + Number(time[1]) / 1000;
}

/**
 * Makes a program that is still empty append a clock before every system call, up to the load of a system call filter.
 *
 * @returns the calls; the n-th writes its time at n * 16
 */
export function measure(program: ProgramBuilder): MeasuredCall[] {
  const calls: MeasuredCall[] = [];
  const stamp = program.cell('traceStamp', STAMP_SIZE);
  const call = program.call.bind(program);
  const within = program.within.bind(program);
  let outer: string | undefined;
  let filtered = false;
  program.within = (field, build) => {
    const before = outer;
    outer = field;
    try {
      return within(field, build);
    } finally {
      outer = before;
    }
  };
  program.call = (name, args, options) => {
    if (!filtered) {
      const clock = { note: '--trace', tolerate: 'any' } as const;
      call('clock_gettime', [CLOCK_MONOTONIC, addressOf(stamp)], clock);
      call('pwrite64', [handed('trace'), addressOf(stamp), STAMP_SIZE, calls.length * STAMP_SIZE], clock);
      calls.push({ name, field: options?.field ?? outer, note: options?.note });
    }
    filtered ||= name === 'seccomp';
    call(name, args, options);
  };
  return calls;
}
