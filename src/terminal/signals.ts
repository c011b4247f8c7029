/**
 * Signals to a runtime that waits for its container in the foreground: they are the container's.
 *
 * @module
 */

import type { ExitStatus } from '../../ffi/processes.ts';
import { catchSignal, deliverSignals, LAST_SIGNAL } from '../../ffi/signals.ts';
import { signalName } from '../linux/signals.ts';
import { log } from '../log.ts';

/** Signals that stay here, and why. */
const OURS: Readonly<Record<number, string>> = {
  4: 'SIGILL: a fault of the engine itself',
  5: 'SIGTRAP: a fault of the engine itself',
  7: 'SIGBUS: a fault of the engine itself',
  8: 'SIGFPE: a fault of the engine itself',
  9: 'SIGKILL: can’t be caught',
  11: 'SIGSEGV: a fault of the engine itself',
  13: 'SIGPIPE: the engine ignores it, and gets EPIPE',
  16: 'SIGSTKFLT: no kernel sends it',
  17: 'SIGCHLD: tells that the container has ended',
  19: 'SIGSTOP: can’t be caught',
  // Caught, a read of the terminal by a job in the background would be tried again for ever.
  21: 'SIGTTIN: job control of the runtime’s own terminal',
  22: 'SIGTTOU: job control of the runtime’s own terminal',
  23: 'SIGURG: runc does not forward it either, and no caller expects it',
  28: 'SIGWINCH: the relay gives the container’s terminal its new size',
  31: 'SIGSYS: a fault of the engine itself',
  32: 'the C library’s',
  33: 'the C library’s',
};

/**
 * The signals that are forwarded; the real-time signals among them, by which systemd in a container is told what to do
 * (SIGRTMIN+3 halts it). Under Node, which can't catch those, they end the runtime and leave the container.
 */
export const FORWARDED: readonly number[] = Array.from(
  { length: LAST_SIGNAL },
  (_, index) => index + 1,
).filter((signal) => OURS[signal] === undefined);

/** SIGHUP, SIGINT and SIGTERM: they ask a program to end. */
export const ENDING: readonly number[] = [1, 2, 15];

/** Signals that are caught, and kept until it is known where they go. */
export interface CaughtSignals {
  /** Passes on what has come and what comes; what `send` throws is logged as a warning. */
  forwardTo(send: (signal: number) => void): void;
  /** Those that have come and were not passed on, in their order. */
  kept(): Promise<readonly number[]>;
  /** Calls a function for each that comes before `forwardTo`; it is kept all the same. Undefined ends that. */
  listen(listener: ((signal: number) => void) | undefined): void;
  /** Gives the signals their default actions back. */
  release(): void;
}

/**
 * Catches signals from now on.
 *
 * To be called before the first thing is made that outlives this process, so that there is no moment in which a signal
 * would end the runtime and leave that behind. The handlers run when the event loop does.
 */
export function catchSignals(signals: readonly number[] = FORWARDED): CaughtSignals {
  let send: ((signal: number) => void) | undefined;
  let listener: ((signal: number) => void) | undefined;
  const kept: number[] = [];
  const releases = signals.map((signal) =>
    catchSignal(signal, signalName(signal), () => {
      if (send === undefined) {
        kept.push(signal);
        listener?.(signal);
      } else forward(signal, send);
    }),
  );
  return {
    forwardTo: (target) => {
      send = target;
      for (const signal of kept.splice(0)) forward(signal, target);
    },
    kept: async () => {
      await deliverSignals();
      return kept;
    },
    listen: (wanted) => {
      listener = wanted;
    },
    release: () => {
      for (const release of releases) release();
    },
  };
}

/** {@link catchSignals}, where it is known from the start where they go. */
export function forwardSignals(send: (signal: number) => void): () => void {
  const caught = catchSignals();
  caught.forwardTo(send);
  return caught.release;
}

function forward(signal: number, send: (signal: number) => void): void {
  try {
    send(signal);
  } catch (error) {
    log.warn(
      `cannot forward ${signalName(signal)}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** The exit code that tells how a process ended, as shells have it: its own, or 128 and the number of the signal. */
export function exitCodeOf(status: Pick<ExitStatus, 'code' | 'signal'>): number {
  return status.signal === undefined ? (status.code ?? 0) : 128 + status.signal;
}
