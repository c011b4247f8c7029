/**
 * Waiting for descriptors of any kind while the event loop goes on.
 *
 * @module
 */

import { native } from './native.ts';

/**
 * The events of descriptors, as of poll() in descriptors.ts, as soon as one of them is ready.
 *
 * @param fds - descriptors and the events to wait for; one that is -1 is ignored
 * @param timeoutMs - negative waits forever
 * @returns the events of each, in order; all 0 after the timeout, and perhaps when a signal came
 * @throws Error (by rejection) without memory
 */
export function whenReady(fds: readonly { fd: number; events: number }[], timeoutMs = -1): Promise<number[]> {
  return native().whenReady(fds, timeoutMs);
}
