/**
 * Moves a process into a cgroup below the one that it is in.
 *
 * @module
 */

import { mkdirSync } from '#files';
import { errnoOf } from '../errors.ts';
import { delegateCgroup } from './delegate.ts';
import { cgroupError } from './errors.ts';
import { enterCgroup } from './processes.ts';

/**
 * Makes the cgroup where it is missing.
 *
 * @param path - relative to `directory`
 * @param uid - who is to own it, on the host
 * @returns its folder
 * @throws RuntsError E_CGROUP
 */
export function enterBelow(directory: string, path: string, pid: number, uid?: number): string {
  let level = directory;
  for (const name of path.split('/')) {
    level += `/${name}`;
    try {
      mkdirSync(level, 0o755);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw cgroupError('make cgroup', level, 'mkdir', error);
    }
  }
  if (uid !== undefined) delegateCgroup(level, uid);
  enterCgroup(pid, level);
  return level;
}
