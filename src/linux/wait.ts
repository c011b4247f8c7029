/**
 * Waiting without an event loop, for what the kernel gives no descriptor for.
 *
 * @module
 */

import { trySyscall } from '../../ffi/local.ts';

const CLOCK_MONOTONIC = 1;

/** Blocks this thread: clock_nanosleep(2). Fractions of a millisecond count; a signal ends it. */
export function sleep(milliseconds: number): void {
  // struct timespec { s64 seconds; s64 nanoseconds; }
  const duration = new Uint32Array(4);
  duration[0] = milliseconds / 1000;
  duration[2] = (milliseconds % 1000) * 1e6;
  trySyscall('clock_nanosleep', [CLOCK_MONOTONIC, 0, duration, null]);
}

/**
 * Asks `done` until it says true: soon again at first (an exit takes well under a millisecond), later every 10 ms.
 *
 * @returns false when `timeoutMs` passed
 */
export function waitUntil(done: () => boolean, timeoutMs: number): boolean {
  const end = performance.now() + timeoutMs;
  for (let pause = 0.1; ; pause = Math.min(pause * 1.5, 10)) {
    if (done()) return true;
    if (performance.now() >= end) return false;
    sleep(pause);
  }
}
