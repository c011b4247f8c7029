/**
 * Controllers of a container's cgroup: enabled in cgroup.subtree_control of every cgroup above it.
 *
 * @see cgroup-v2.rst, Enabling and Disabling
 * @module
 */

import { errnoOf, type RuntsError } from '../errors.ts';
import { readWords, writeControl } from './control.ts';
import { cgroupError } from './errors.ts';

const NONE: ReadonlySet<string> = new Set();

/**
 * Enables every controller that the hierarchy has for the cgroup: statistics want them too. What can't be enabled
 * and isn't needed is left out (a parent that is not ours, a threaded cgroup).
 *
 * Usually all are there, and two small files are read.
 *
 * @param mountpoint of the v2 hierarchy
 * @param path the container's cgroup below it, which exists
 * @param needed controllers of the configured limits
 * @throws RuntsError E_CGROUP when one of `needed` can't be enabled; one that the hierarchy does not have at all is
 *   left to whoever writes the limit and can name its field
 */
export function enableControllers(
  mountpoint: string,
  path: string,
  needed: ReadonlySet<string> = NONE,
): void {
  const names = path.split('/').filter((name) => name !== '');
  const available = readWords(`${mountpoint}/cgroup.controllers`);
  if (missingIn(`${mountpoint}/${names.join('/')}`, available).length === 0) return;
  let level = mountpoint;
  for (const name of names) {
    const child = `${level}/${name}`;
    enableAll(level, missingIn(child, available), needed);
    level = child;
  }
}

function missingIn(directory: string, available: readonly string[]): string[] {
  const there = readWords(`${directory}/cgroup.controllers`);
  return available.filter((controller) => !there.includes(controller));
}

/**
 * All at once, which the kernel does as a whole or not at all, and else one by one.
 *
 * In a parent with processes only those that are needed are tried: the kernel would take the controllers that know
 * threads, and make the parent threaded and its children useless for processes.
 */
function enableAll(parent: string, controllers: readonly string[], needed: ReadonlySet<string>): void {
  if (controllers.length === 0) return;
  const path = `${parent}/cgroup.subtree_control`;
  let busy = false;
  try {
    writeControl(path, controllers.map((name) => `+${name}`).join(' '));
    return;
  } catch (error) {
    busy = errnoOf(error) === 'EBUSY';
  }
  const [threaded, domain] = [true, false].map((knows) =>
    controllers.filter((name) => THREADED.includes(name) === knows),
  );
  for (const controller of [...domain!, ...threaded!]) {
    if (busy && !needed.has(controller)) continue;
    try {
      writeControl(path, `+${controller}`);
    } catch (error) {
      if (needed.has(controller)) throw notEnabled(parent, controller, error);
    }
  }
}

/** Controllers that can tell threads of a process apart; cgroup-v2.rst, Threads. */
const THREADED: readonly string[] = ['cpu', 'cpuset', 'perf_event', 'pids'];

function notEnabled(parent: string, controller: string, error: unknown): RuntsError {
  const path = `${parent}/cgroup.subtree_control`;
  const hint = REMEDIES[errnoOf(error) ?? '']?.(parent);
  return cgroupError(`enable controller ${controller} in`, path, 'write', error, hint);
}

const REMEDIES: Readonly<Record<string, (parent: string) => string>> = {
  EBUSY: (parent) =>
    `${parent} has processes of its own, and a cgroup has either processes or controllers for its children: ` +
    'choose a linux.cgroupsPath elsewhere, or move them into a child',
  ENOENT: (parent) => `the controller is not enabled for ${parent} by the cgroup above it`,
  EOPNOTSUPP: (parent) =>
    `${parent} is threaded, which this controller can't be: choose a linux.cgroupsPath elsewhere`,
};
