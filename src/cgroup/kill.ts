/**
 * SIGKILL for everything in a cgroup.
 *
 * @module
 */

import { errnoOf } from '../errors.ts';
import { waitUntil } from '../linux/wait.ts';
import { writeControl } from './control.ts';
import { cgroupError } from './errors.ts';
import { isPopulated, processesIn } from './processes.ts';

/** Rounds of the fallback; each kills all that is there, so only what forks faster needs a second one. */
const ROUNDS_MS = 1000;

/** Writes 0 to cgroup.freeze; a cgroup without that file or that is gone can't be frozen. */
function thaw(directory: string): void {
  try {
    writeControl(`${directory}/cgroup.freeze`, '0');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== 'ENOENT' && errno !== 'ENODEV') throw cgroupError('thaw', directory, 'write', error);
  }
}

/**
 * Kills every process in the cgroup and below it. Frozen ones die too. Does not wait for them: removeCgroup does.
 * A cgroup that is gone has nobody to kill.
 *
 * `cgroup.kill` (Linux 5.14) does it at once, safe against concurrent forks and against reuse of pids. Before that,
 * and for threaded cgroups, each process is signalled, again until none is left.
 *
 * @throws RuntsError E_CGROUP when it isn't permitted
 */
export function killCgroup(directory: string): void {
  try {
    writeControl(`${directory}/cgroup.kill`, '1');
    return;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENODEV') return;
    if (errno !== 'ENOENT' && errno !== 'EOPNOTSUPP') {
      throw cgroupError('kill the processes of cgroup', directory, 'write cgroup.kill', error);
    }
  }
  killEach(directory);
}

/** The fallback of killCgroup. */
export function killEach(directory: string): void {
  waitUntil(() => {
    for (const pid of processesIn(directory)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        // ESRCH: it ended by itself.
        if (errnoOf(error) !== 'ESRCH') throw cgroupError(`kill process ${pid} of`, directory, 'kill', error);
      }
    }
    return !isPopulated(directory);
  }, ROUNDS_MS);
  thaw(directory);
}
