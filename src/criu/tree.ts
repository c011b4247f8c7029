/**
 * Which processes of a container CRIU leaves out: it saves the first one and its descendants, and what `exec` started
 * has its parent outside.
 *
 * @module
 */

import { type ProcessStat, readStat } from '../linux/procfs.ts';

/** Those of `pids` that do not descend from `init`; without those that have ended meanwhile. */
export function outsideTree(
  init: number,
  pids: readonly number[],
  stat: (pid: number) => ProcessStat | undefined = readStat,
): ProcessStat[] {
  const inside = (pid: number): boolean => {
    for (let next = pid; next > 0; next = stat(next)?.parentPid ?? 0) if (next === init) return true;
    return false;
  };
  const outside: ProcessStat[] = [];
  for (const pid of pids) {
    const found = inside(pid) ? undefined : stat(pid);
    // A zombie is waited for by its parent, which is outside: nothing of it is lost.
    if (found !== undefined && found.state !== 'Z') outside.push(found);
  }
  return outside;
}
