/**
 * Processes that are about to be dead.
 *
 * @module
 */

import { readFileSync } from '#files';

const SIGKILL_BIT = 0x100n;
const PF_EXITING = 4;

/**
 * Whether a living process can't but die: SIGKILL waits for it, or it is on its way out. In its pid namespace a process 1
 * takes all others along, which lasts a while.
 */
export function isEnding(pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    for (const [, signals = '0'] of status.matchAll(/^S(?:ig|hd)Pnd:\s*([0-9a-f]+)$/gm)) {
      if ((BigInt(`0x${signals}`) & SIGKILL_BIT) !== 0n) return true;
    }
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // Field 9, of which the first after the name is 3; linux/sched.h.
    const flags = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[9 - 3]);
    return (flags & PF_EXITING) !== 0;
  } catch {
    return true;
  }
}
