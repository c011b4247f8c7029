/**
 * A descriptor of a process that is certain to be the one that is meant.
 *
 * @module
 */

import { closeSync } from '#files';
import { pidfdOpen } from '../../ffi/processes.ts';
import { isAlive, type ProcessIdentity } from './process.ts';

/**
 * A pidfd: opened first, which stays with the process that it was opened for, and checked then.
 *
 * @returns undefined when the process is dead
 * @throws RuntsError E_SYSCALL
 */
export function openProcess(process: ProcessIdentity): number | undefined {
  const pidfd = pidfdOpen(process.pid);
  if (pidfd === undefined || isAlive(process)) return pidfd;
  closeSync(pidfd);
  return undefined;
}
