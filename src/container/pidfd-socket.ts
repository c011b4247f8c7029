/**
 * `--pidfd-socket`: the caller gets a pidfd of the new process, which unlike a pid can't come to mean another one.
 *
 * @module
 */

import { closeSync } from '#files';
import { pidfdOpen } from '../../ffi/processes.ts';
import { utf8 } from '../../ffi/text.ts';
import { RuntsError } from '../errors.ts';
import { connectUnix, sendDescriptors } from '../linux/socket.ts';

/**
 * Sends one message: a word that says what the process is, as runc has it, with the pidfd (SCM_RIGHTS).
 *
 * @param kind - `standard` for a container's init, `setns` for a process of `exec`
 * @throws RuntsError
 */
export function sendPidfd(path: string, pid: number, kind: 'standard' | 'setns'): void {
  const pidfd = pidfdOpen(pid);
  if (pidfd === undefined) throw new RuntsError('E_INIT', `--pidfd-socket: process ${pid} is gone`);
  let socket = -1;
  try {
    socket = connectUnix(path, `--pidfd-socket: cannot connect to ${path}`);
    sendDescriptors(socket, utf8(kind), [pidfd], '--pidfd-socket');
  } finally {
    if (socket >= 0) closeSync(socket);
    closeSync(pidfd);
  }
}
