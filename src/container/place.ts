/**
 * Getting a further process of a container where it belongs: its cgroup and its cgroup namespace.
 *
 * @module
 */

import { openSync, readFileSync } from '#files';
import { enterCgroup } from '../cgroup/processes.ts';
import { errnoText } from '../cli/present.ts';
import { errnoOf, RuntsError } from '../errors.ts';
import { takesCgroupNamespace } from '../plan/hook.ts';
import { JOINING_NEEDS } from './remedies.ts';
import type { ContainerState } from './state.ts';

/** Adds the descriptor that {@link takesCgroupNamespace} asks for; nothing when init is gone, which the plan meets first. */
export function openCgroupNamespace(state: ContainerState, handed: Record<string, number>): void {
  if (state.init === null || !takesCgroupNamespace(state.namespaces)) return;
  const path = `/proc/${state.init.pid}/ns/cgroup`;
  try {
    handed.cgroupNamespace = openSync(path, 'r');
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error;
    throw new RuntsError('E_INIT', `linux.namespaces: open ${path}: ${errnoText(error)}`, {
      field: 'linux.namespaces',
      syscall: 'open',
      errno: 'EACCES',
      hint: JOINING_NEEDS,
    });
  }
}

/** A v2 cgroup with children holds no process: then init's own cgroup serves, as with the other runtimes. */
export function place(pid: number, path: string, state: ContainerState): void {
  try {
    enterCgroup(pid, path);
  } catch (error) {
    const busy = error instanceof RuntsError && error.details.errno === 'EBUSY';
    if (!busy || state.init === null || state.cgroup === null) throw error;
    const own = /^0::(.*)$/m.exec(readFileSync(`/proc/${state.init.pid}/cgroup`, 'utf8'))?.[1] ?? '';
    enterCgroup(pid, `${state.cgroup.mountpoint}${own}`);
  }
}
