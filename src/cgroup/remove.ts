/**
 * Removes a container's cgroup and what the container made below it.
 *
 * @module
 */

import { rmdirSync } from '#files';
import { errnoOf, RuntsError } from '../errors.ts';
import { cgroupError } from './errors.ts';
import { waitForEvents } from './events.ts';
import { isPopulated, processesIn, subtree } from './processes.ts';

/** How long dying processes are waited for. Exits take milliseconds; only a hung device or file system takes more. */
const TIMEOUT_MS = 10_000;

/** @returns false when the cgroup is in use */
function rmdirCgroup(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return true;
    // The kernel says EBUSY for processes and for children; ENOTEMPTY is what other file systems say.
    if (errno === 'EBUSY' || errno === 'ENOTEMPTY') return false;
    throw cgroupError('remove cgroup', directory, 'rmdir', error);
  }
}

/** Removes a cgroup if nothing is in it: of one in use, or one that may not be removed, somebody else takes care. */
export function removeEmptyCgroup(directory: string): void {
  try {
    rmdirCgroup(directory);
  } catch {
    // not ours to remove
  }
}

function removeTree(directory: string): boolean {
  // One call when nothing is in it and the container made no cgroups of its own, which is nearly always.
  if (rmdirCgroup(directory)) return true;
  return !isPopulated(directory) && subtree(directory).every(rmdirCgroup);
}

/**
 * Removes the cgroup at `directory`, children first. Its processes must be dead or dying: they are waited for, since
 * a killed process stays in its cgroup until it has given back all it had. A cgroup that is gone is fine.
 *
 * @throws RuntsError E_CGROUP when it can't be removed or processes are still in it after 10 seconds
 */
export function removeCgroup(directory: string, timeoutMs: number = TIMEOUT_MS): void {
  if (removeTree(directory) || waitForEvents(directory, () => removeTree(directory), timeoutMs)) return;
  const pids = processesIn(directory);
  const who =
    pids.length > 0 ? `processes ${pids.slice(0, 8).join(', ')} are still in it` : 'it is still in use';
  throw new RuntsError('E_CGROUP', `cannot remove cgroup ${directory}: ${who} after ${timeoutMs / 1000} s`, {
    syscall: 'rmdir',
    errno: 'EBUSY',
    hint: 'a process that SIGKILL does not end waits in the kernel for a device or file system: see its /proc/PID/stack',
  });
}
