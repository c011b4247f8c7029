/**
 * Gives a cgroup to the container's user, who can then make cgroups below it.
 *
 * @see config-linux.md, Cgroup ownership; cgroup-v2.rst, Delegation
 * @module
 */

import { chownSync, readFileSync } from '#files';
import { errnoOf } from '../errors.ts';
import { cgroupError } from './errors.ts';

/** What may be handed over on kernels without /sys/kernel/cgroup/delegate (before 4.15). */
const USUAL_FILES = ['cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads'];

/** Stays as it is; chown(2). */
const KEEP_GROUP = 0xffffffff;

/**
 * Changes the owner of the cgroup's folder and of the files that the kernel lists as safe to hand over. The limits
 * are not among them.
 *
 * @param directory of the cgroup
 * @param uid on the host
 * @throws RuntsError E_CGROUP
 */
export function delegateCgroup(directory: string, uid: number): void {
  for (const path of [directory, ...delegatable().map((name) => `${directory}/${name}`)]) {
    try {
      chownSync(path, uid, KEEP_GROUP);
    } catch (error) {
      // The list has the files of all controllers.
      if (errnoOf(error) === 'ENOENT' && path !== directory) continue;
      throw cgroupError('change the owner of', path, 'chown', error);
    }
  }
}

function delegatable(): string[] {
  try {
    const names = readFileSync('/sys/kernel/cgroup/delegate', 'latin1').split('\n');
    return names.filter((name) => name !== '' && !name.includes('/'));
  } catch {
    return USUAL_FILES;
  }
}
