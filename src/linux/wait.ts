/**
 * Waiting without an event loop, for what the kernel gives no descriptor for.
 *
 * @module
 */

/** Blocks this thread. Fractions of a millisecond count. */
export function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
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
