/**
 * A hook from its start to its end: feeds it the state, collects what it prints, and kills it when it takes too long.
 *
 * @module
 */

import { closeSync, readSync, writeSync } from '#files';
import { POLL, poll } from '../../ffi/descriptors.ts';
import { trySyscall } from '../../ffi/local.ts';
import type { ExitStatus } from '../../ffi/processes.ts';
import { pidfdOpen, waitFor } from '../../ffi/processes.ts';
import { whenReady } from '../../ffi/ready.ts';
import { errnoOf } from '../errors.ts';
import { Tail } from './tail.ts';

/** A hook that was started. The descriptors are pipes and belong to whoever supervises it. */
export interface HookProcess {
  /** A child of this process that is not reaped yet, and the leader of a process group. */
  pid: number;
  /** Our end of its standard input. */
  stdin: number;
  /** Our ends of its standard output and error; -1 for one that goes elsewhere. */
  stdout: number;
  stderr: number;
}

/** How a hook ended. */
export interface HookOutcome {
  status: ExitStatus;
  /** It was still running after its timeout, and was killed. */
  timedOut: boolean;
  /** It was still running when the container's init died, and was killed. */
  orphaned: boolean;
  /** The last {@link OUTPUT_LIMIT} bytes of its output. */
  stdout: string;
  stderr: string;
}

/** Of each stream; enough for a diagnosis, and little enough for every reader of log lines. */
export const OUTPUT_LIMIT = 8192;

/** A pipe that is ready for writing takes this much at once: PIPE_BUF, pipe(7). More could block. */
const PIPE_BUF = 4096;

/** After the end of the hook, at most this much more is read: its children may go on writing forever. */
const DRAIN_LIMIT = 1 << 20;

const SIGKILL = 9;

/**
 * Blocks until the hook has ended.
 *
 * What it leaves in the background is left alone, and not waited for: its output is lost from then on.
 *
 * @param input - what it finds on its standard input; it need not read it
 * @param timeoutMs - then its process group is killed; undefined waits forever
 * @param init - pidfd of the container's init; when that dies, the process group is killed too
 * @param keep - bytes of each output that are wanted: the last ones
 * @throws RuntsError E_SYSCALL
 */
export function supervise(
  child: HookProcess,
  input: Uint8Array,
  timeoutMs?: number,
  init = -1,
  keep = OUTPUT_LIMIT,
): HookOutcome {
  const work = supervising(child, input, timeoutMs, init, keep);
  try {
    for (let now = work.next(); ; ) {
      if (now.done === true) return now.value;
      now = work.next(poll(...now.value));
    }
  } finally {
    work.return(undefined as never);
  }
}

/**
 * {@link supervise}, but the event loop goes on and so signal handlers are called.
 *
 * @param onEnding - gets a function that kills the hook's process group
 */
export async function superviseUntil(
  onEnding: (end: () => void) => Promise<() => void>,
  child: HookProcess,
  input: Uint8Array,
  timeoutMs?: number,
  init = -1,
): Promise<HookOutcome> {
  const work = supervising(child, input, timeoutMs, init, OUTPUT_LIMIT);
  const settle = await onEnding(() => killGroup(child));
  try {
    for (let now = work.next(); ; ) {
      if (now.done === true) return now.value;
      now = work.next(await whenReady(...now.value));
    }
  } finally {
    settle();
    work.return(undefined as never);
  }
}

function killGroup({ pid }: HookProcess): void {
  trySyscall('kill', [-pid, SIGKILL]);
}

/** Descriptors to wait for, and how long: the arguments of poll and of whenReady. */
type Wait = [fds: { fd: number; events: number }[], timeoutMs: number];

/** {@link supervise}, which leaves it to its caller how to wait: it yields what to wait for and wants the events. */
function* supervising(
  child: HookProcess,
  input: Uint8Array,
  timeoutMs: number | undefined,
  init: number,
  keep: number,
): Generator<Wait, HookOutcome, number[]> {
  const deadline = timeoutMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs;
  const pidfd = pidfdOpen(child.pid);
  const stdin = new Input(child.stdin, input);
  const stdout = new Output(child.stdout, keep);
  const stderr = new Output(child.stderr, keep);
  const streams = [stdin, stdout, stderr];
  let timedOut = false;
  let orphaned = false;
  try {
    // A pid without a process can only be one that was reaped behind our back; waitFor will say so.
    while (pidfd !== undefined) {
      const left = deadline - performance.now();
      if (left <= 0) {
        timedOut = true;
        killGroup(child);
        break;
      }
      const waiting = streams.filter((stream) => stream.fd >= 0);
      const [ended, died, ...ready] = yield [
        [
          { fd: pidfd, events: POLL.IN },
          { fd: init, events: POLL.IN },
          ...waiting.map(({ fd, events }) => ({ fd, events })),
        ],
        left === Number.POSITIVE_INFINITY ? -1 : Math.ceil(left),
      ];
      waiting.forEach((stream, index) => {
        if (ready[index] !== 0) stream.transfer();
      });
      if (ended !== 0) break;
      if (died !== 0) {
        orphaned = true;
        killGroup(child);
        break;
      }
    }
    const status = waitFor({ pid: child.pid });
    stdout.drain();
    stderr.drain();
    return { status, timedOut, orphaned, stdout: stdout.tail.toString(), stderr: stderr.tail.toString() };
  } finally {
    if (pidfd !== undefined) closeSync(pidfd);
    for (const stream of streams) stream.close();
  }
}

/** Our end of a pipe; closed when `fd` is -1. */
abstract class Stream {
  fd: number;
  abstract readonly events: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Moves what can be moved without blocking; only to be called when the descriptor is ready. */
  abstract transfer(): void;

  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }
}

class Input extends Stream {
  readonly events = POLL.OUT;
  #rest: Uint8Array;

  constructor(fd: number, content: Uint8Array) {
    super(fd);
    this.#rest = content;
    if (content.length === 0) this.close();
  }

  transfer(): void {
    try {
      const written = writeSync(this.fd, this.#rest, 0, Math.min(this.#rest.length, PIPE_BUF));
      this.#rest = this.#rest.subarray(written);
    } catch (error) {
      // EPIPE: it closed its input, which it need not read. Engines ignore SIGPIPE.
      if (errnoOf(error) !== 'EPIPE') throw error;
      this.#rest = this.#rest.subarray(this.#rest.length);
    }
    if (this.#rest.length === 0) this.close();
  }
}

class Output extends Stream {
  readonly events = POLL.IN;
  readonly tail: Tail;
  readonly #buffer = new Uint8Array(16384);

  constructor(fd: number, keep: number) {
    super(fd);
    this.tail = new Tail(keep);
  }

  transfer(): void {
    this.#read();
  }

  /** Reads what is there already. */
  drain(): void {
    for (let left = DRAIN_LIMIT; left > 0 && this.fd >= 0; ) {
      if (poll([{ fd: this.fd, events: POLL.IN }], 0)[0] === 0) return;
      left -= this.#read();
    }
  }

  #read(): number {
    const length = readSync(this.fd, this.#buffer, 0, this.#buffer.length, null);
    if (length === 0) this.close();
    else this.tail.push(this.#buffer.subarray(0, length));
    return length;
  }
}
