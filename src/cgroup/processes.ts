/**
 * Who is in a cgroup, whether anybody is, and moving a process into it.
 *
 * @module
 */

import { readdirSync, readFileSync, writeFileSync } from '#files';
import { errnoOf } from '../errors.ts';
import { cgroupError } from './errors.ts';

/** The cgroup and all below it, children before their parents. A cgroup that is gone gives none. */
export function subtree(directory: string): string[] {
  const found: string[] = [];
  const open = [directory];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    let entries: { name: string; isDirectory(): boolean }[];
    try {
      entries = readdirSync(next, { withFileTypes: true });
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') continue;
      throw cgroupError('list cgroup', next, 'open', error);
    }
    found.push(next);
    for (const entry of entries) if (entry.isDirectory()) open.push(`${next}/${entry.name}`);
  }
  return found.reverse();
}

/**
 * Pids of all processes in the cgroup and below, as seen from this pid namespace. Processes outside of it, which the
 * kernel shows as 0, are left out. Zombies have left their cgroup already.
 */
export function processesIn(directory: string): number[] {
  const pids = new Set<number>();
  for (const cgroup of subtree(directory)) {
    let text: string;
    try {
      text = readFileSync(`${cgroup}/cgroup.procs`, 'latin1');
    } catch (error) {
      const errno = errnoOf(error);
      // ENODEV: removed while open. EOPNOTSUPP: threaded; its processes are listed by the cgroup above.
      if (errno === 'ENOENT' || errno === 'ENODEV' || errno === 'EOPNOTSUPP') continue;
      throw cgroupError('read', `${cgroup}/cgroup.procs`, 'read', error);
    }
    for (const line of text.split('\n')) if (Number(line) > 0) pids.add(Number(line));
  }
  return [...pids];
}

/** Whether any process is in the cgroup or below it; cgroup-v2.rst, cgroup.events. A cgroup that is gone is empty. */
export function isPopulated(directory: string): boolean {
  try {
    return /^populated 1$/m.test(readFileSync(`${directory}/cgroup.events`, 'latin1'));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENODEV') return false;
    throw cgroupError('read', `${directory}/cgroup.events`, 'read', error);
  }
}

/** What this write fails with beyond what holds for all files of cgroups; cgroups(7), cgroup-v2.rst. */
const ENTRY_HINTS: Record<string, string> = {
  EBUSY: 'a cgroup with controllers enabled for its children can hold no process: choose another path',
  EOPNOTSUPP: 'the cgroup is threaded, or below one that is: choose another path',
  ESRCH: 'the process is gone',
};

/**
 * Moves a process into a cgroup.
 *
 * @param directory - of the cgroup, which exists
 * @param field - of the config that it comes from
 * @throws RuntsError E_CGROUP
 */
export function enterCgroup(pid: number, directory: string, field?: string): void {
  const path = `${directory}/cgroup.procs`;
  try {
    writeFileSync(path, String(pid));
  } catch (error) {
    throw cgroupError(
      `move process ${pid} into`,
      path,
      'write',
      error,
      ENTRY_HINTS[errnoOf(error) ?? ''],
      field,
    );
  }
}
