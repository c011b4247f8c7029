/**
 * Waiting for descriptors of any kind while the event loop goes on.
 *
 * The engines' own streams differ in which descriptors they take and in how they end: net.Socket refuses terminals, a
 * read that is pending keeps Node from exiting, Bun reports the end of a terminal as an error. poll(2) on a worker
 * thread takes everything, costs about 30 microseconds, and tells the same under each.
 *
 * @module
 */

import { poll } from './descriptors.ts';
import type { NativeArg, NativeFunction } from './koffi.ts';
import { declare, nativeBytes } from './koffi.ts';

interface AsyncFunction {
  async(...args: readonly [...NativeArg[], (error: Error | null, result: number) => void]): void;
}

let pollOnWorker: AsyncFunction | undefined;

/**
 * The events of descriptors, as of poll() in descriptors.ts, as soon as one of them is ready.
 *
 * Node doesn't exit while this waits: give it a descriptor that an `exit` handler makes ready.
 *
 * @param fds - descriptors and the events to wait for; one that is -1 is ignored
 * @param timeoutMs - negative waits forever
 * @returns the events of each, in order; all 0 after the timeout, and when a signal came
 * @throws RuntsError E_SYSCALL (by rejection)
 */
export function whenReady(fds: readonly { fd: number; events: number }[], timeoutMs = -1): Promise<number[]> {
  pollOnWorker ??= declare(null, 'poll', 'int', ['void *', 'uint64', 'int']) as NativeFunction &
    AsyncFunction;
  // struct pollfd { int fd; short events; short revents; }
  const list = nativeBytes(fds.length * 8);
  const view = new DataView(list.buffer);
  fds.forEach(({ fd, events }, index) => {
    view.setInt32(index * 8, fd, true);
    view.setInt16(index * 8 + 4, events, true);
  });
  const call = pollOnWorker;
  return new Promise((resolve, reject) => {
    call.async(list, fds.length, timeoutMs, (error, result) => {
      if (error !== null) reject(error);
      else if (result >= 0) resolve(fds.map((_, index) => view.getInt16(index * 8 + 6, true)));
      else {
        // errno is the worker's. A signal has passed; anything else fails here again, and is thrown.
        try {
          resolve(poll(fds, 0));
        } catch (failure) {
          reject(failure);
        }
      }
    });
  });
}
