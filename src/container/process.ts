/**
 * Which process a pid means. A pid alone is reused by the kernel; pid and start time are not.
 *
 * @module
 */

import { readStat } from '../linux/procfs.ts';

/** A process, for good: the pid as seen from the runtime's pid namespace, and when it started. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks after boot, field 22 of proc_pid_stat(5). */
  startTime: number;
}

/**
 * The identity of a living or dead but not yet reaped process.
 *
 * @returns undefined when there is no such process
 */
export function identify(pid: number | 'self'): ProcessIdentity | undefined {
  const stat = readStat(pid);
  return stat && { pid: stat.pid, startTime: stat.startTime };
}

/**
 * Whether this very process still runs. A zombie has nothing left to run, kill or join, so it is not alive, and
 * neither is another process that got the same pid.
 */
export function isAlive(identity: ProcessIdentity): boolean {
  const stat = readStat(identity.pid);
  if (stat === undefined || stat.startTime !== identity.startTime) return false;
  return stat.state !== 'Z' && stat.state !== 'X' && stat.state !== 'x';
}
