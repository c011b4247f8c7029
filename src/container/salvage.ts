/**
 * What can be known of a container whose state.json is missing or unusable, so that `delete --force` leaves nothing.
 *
 * @module
 */

import { readdirSync, readFileSync, readlinkSync, statSync } from '#files';
import { cgroupMountpoint } from '../cgroup/facts.ts';
import { processCgroup } from '../linux/procfs.ts';
import { identify, isAlive, type ProcessIdentity } from './process.ts';
import { type CgroupState, fifoPath, statePath } from './state.ts';

export interface Salvage {
  /** The container's first process, when it still lives. */
  init: ProcessIdentity | null;
  cgroup: CgroupState | null;
  /** Folder of the cgroup that init was in, whose name doesn't tell whose it is: to be removed if nothing is in it. */
  emptied?: string;
}

const INIT = /"init"\s*:\s*\{\s*"pid"\s*:\s*(\d+)\s*,\s*"startTime"\s*:\s*(\d+)\s*[,}]/;
const STRING = String.raw`("(?:[^"\\]|\\.)*")`;
const CGROUP = new RegExp(
  String.raw`"cgroup"\s*:\s*\{\s*"manager"\s*:\s*"(cgroupfs|systemd)"\s*,` +
    String.raw`\s*"mountpoint"\s*:\s*${STRING}\s*,\s*"path"\s*:\s*${STRING}`,
);

/**
 * Finds init and cgroup in the text of a damaged state.json (cut off, of another version, edited by hand). A process
 * counts only if it still is the recorded one, a cgroup only if its whole path is there.
 */
export function salvageText(text: string): Salvage {
  const process = INIT.exec(text);
  const init = process && { pid: Number(process[1]), startTime: Number(process[2]) };
  return { init: init && isAlive(init) ? init : null, cgroup: salvageCgroup(text) };
}

function salvageCgroup(text: string): CgroupState | null {
  const [, manager, mountpoint, path] = CGROUP.exec(text) ?? [];
  if (manager === undefined || mountpoint === undefined || path === undefined) return null;
  try {
    return {
      manager: manager === 'systemd' ? 'systemd' : 'cgroupfs',
      mountpoint: JSON.parse(mountpoint),
      path: JSON.parse(path),
    };
  } catch {
    return null; // An escape that JSON doesn't have: damaged.
  }
}

/**
 * Finds the process that waits on the container's start FIFO: a created container whose state says nothing.
 * Looks at every process, so it is for this one purpose.
 */
export function findFifoHolder(root: string, id: string): ProcessIdentity | null {
  let fifo: { dev: number; ino: number };
  try {
    fifo = statSync(fifoPath(root, id));
  } catch {
    return null;
  }
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (Number.isInteger(pid) && pid !== process.pid && holds(pid, fifo)) return identify(pid) ?? null;
  }
  return null;
}

function holds(pid: number, file: { dev: number; ino: number }): boolean {
  try {
    for (const fd of readdirSync(`/proc/${pid}/fd`)) {
      const link = `/proc/${pid}/fd/${fd}`;
      // The name first: stat of a descriptor on a dead network file system would hang.
      if (!readlinkSync(link).endsWith('/exec.fifo')) continue;
      const { dev, ino } = statSync(link);
      if (dev === file.dev && ino === file.ino) return true;
    }
  } catch {
    // The process ended or closed the descriptor, or belongs to somebody else.
  }
  return false;
}

/** All that can be found of container `id`. */
export function salvage(root: string, id: string): Salvage {
  let text = '';
  try {
    text = readFileSync(statePath(root, id), 'utf8');
  } catch {
    // Killed before the first write: then there is no cgroup and no process either, but for what the FIFO tells.
  }
  const found = salvageText(text);
  found.init ??= findFifoHolder(root, id);
  if (found.cgroup === null && found.init !== null) found.cgroup = cgroupOf(found.init.pid, id);
  if (found.cgroup === null && found.init !== null) {
    const path = processCgroup(found.init.pid);
    if (path !== undefined && !containsRuntime(path)) found.emptied = cgroupMountpoint() + path;
  }
  if (found.cgroup && containsRuntime(found.cgroup.path)) found.cgroup = null;
  return found;
}

/** The cgroup of a found init, if its name says that it is the container's own and not one that others share. */
function cgroupOf(pid: number, id: string): CgroupState | null {
  const path = processCgroup(pid);
  if (path === undefined || !(path.endsWith(`/${id}`) || path.endsWith(`-${id}.scope`))) return null;
  return { manager: 'cgroupfs', mountpoint: cgroupMountpoint(), path };
}

/** A damaged path must not lead to the runtime killing itself and what started it. */
function containsRuntime(path: string): boolean {
  if (path === '' || path === '/' || !path.startsWith('/') || path.split('/').includes('..')) return true;
  const own = processCgroup('self');
  return own !== undefined && `${own}/`.startsWith(`${path.replace(/\/+$/, '')}/`);
}
