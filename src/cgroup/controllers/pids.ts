/**
 * `linux.resources.pids`: how many tasks (processes and threads) a container may have.
 *
 * @see config-linux.md, PIDs; cgroup-v2.rst, PID Interface Files
 * @module
 */

import type { LinuxPids } from '../../spec/types.ts';
import { decimal, type Write } from '../write.ts';

/**
 * The write for pids.max: a negative limit means none, an absent one leaves it as it is.
 *
 * 0 becomes 1: both let the container have its init and nothing else, and systemd's TasksMax takes no 0. The
 * specification made the field a pointer in 1.3 to tell 0 from absent.
 */
export function pids({ limit }: LinuxPids): Write[] {
  if (limit === undefined) return [];
  const value = limit < 0 ? 'max' : decimal(Math.max(limit, 1));
  return [{ file: 'pids.max', value, field: 'linux.resources.pids.limit' }];
}
