/**
 * A conversation with `criu swrk`: one request after the other over a socket that keeps message boundaries, and on the
 * way CRIU asks its caller to do things (notifications), each of which is answered.
 *
 * @see https://criu.org/RPC
 * @module
 */

import { closeSync } from '#files';
import { restartingSyscall } from '../../ffi/local.ts';
import { RuntsError } from '../errors.ts';
import { receiveDescriptors } from '../linux/socket.ts';
import { log } from '../log.ts';
import { type CriuRequest, type CriuResponse, decodeResponse, encodeRequest, REQUEST } from './messages.ts';

/** What CRIU wants done. */
export interface Notification {
  /** `pre-dump`, `setup-namespaces`, `post-restore`, `orphan-pts-master`, ... */
  script: string;
  /** Of the container's first process, where there is one. */
  pid: number;
  /** A descriptor that came along; whoever keeps it takes it from here, the others are closed. */
  fds: number[];
}

/** Does what is asked for; what it throws makes CRIU stop and undo what it did. */
export type Notified = (notification: Notification) => void | Promise<void>;

/** Room for an answer: the longest has the log's error messages. */
const ANSWER_SIZE = 64 * 1024;
/** CRIU sends at most one. */
const MAX_FDS = 4;

/** CRIU went away without an answer. */
export class CriuGone extends Error {}

/** Sends a request and waits for the answer; notifications before it go to `notified`. */
export async function call(
  socket: number,
  request: CriuRequest,
  notified: Notified = () => {},
): Promise<CriuResponse> {
  let failure: unknown;
  let failed = false;
  send(socket, request);
  for (;;) {
    const { response, fds } = receive(socket);
    try {
      if (response.type !== REQUEST.NOTIFY) {
        // It says no more than that it was told to stop.
        if (failed) throw failure;
        return response;
      }
      const { script = '', pid = 0 } = response.notify ?? {};
      log.debug(`criu: ${script}`);
      try {
        await notified({ script, pid, fds });
      } catch (error) {
        failure = error;
        failed = true;
      }
      send(socket, { type: REQUEST.NOTIFY, notifySuccess: !failed });
    } catch (error) {
      throw failed ? failure : error;
    } finally {
      for (const fd of fds) closeSync(fd);
    }
  }
}

function send(socket: number, request: CriuRequest): void {
  const bytes = encodeRequest(request);
  try {
    restartingSyscall('write', [socket, bytes, bytes.length]);
  } catch (error) {
    const errno = error instanceof RuntsError ? error.details.errno : undefined;
    if (errno === 'EPIPE' || errno === 'ECONNRESET') throw new CriuGone();
    throw error;
  }
}

function receive(socket: number): { response: CriuResponse; fds: number[] } {
  let data: Uint8Array;
  let fds: number[];
  try {
    ({ data, fds } = receiveDescriptors(socket, ANSWER_SIZE, MAX_FDS));
  } catch (error) {
    if (error instanceof RuntsError && error.details.errno === 'ECONNRESET') throw new CriuGone();
    throw error;
  }
  if (data.length === 0) throw new CriuGone();
  try {
    return { response: decodeResponse(data), fds };
  } catch (error) {
    for (const fd of fds) closeSync(fd);
    const what = error instanceof Error ? error.message : String(error);
    throw new RuntsError('E_INTERNAL', `criu sent something that is no answer: ${what}`, { cause: error });
  }
}
