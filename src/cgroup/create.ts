/**
 * Makes a container's cgroup. The container is put into it by clone3(CLONE_INTO_CGROUP), not from here.
 *
 * @module
 */

import { mkdirSync, readFileSync, rmdirSync } from '#files';
import { errnoOf, RuntsError } from '../errors.ts';
import { enableControllers } from './enable.ts';
import { cgroupError } from './errors.ts';
import { processesIn } from './processes.ts';

export interface CreatedCgroup {
  /** The container's cgroup as a folder. */
  directory: string;
  /** The folders that were made, outermost first; what undoCreate removes. */
  made: string[];
}

/**
 * Makes the cgroup and what is missing above it.
 *
 * A cgroup that exists already is taken when nothing lives in it: engines make it beforehand to set limits. With
 * processes in it, the container's `kill --all`, `pause` and `delete` would hit strangers, so that is refused; and
 * init would never come up in a frozen one.
 *
 * @param mountpoint of the v2 hierarchy
 * @param path from cgroupPath()
 * @param needed controllers without which the configured limits can't be set
 * @throws RuntsError E_CGROUP; nothing is left behind then
 */
export function createCgroup(mountpoint: string, path: string, needed?: ReadonlySet<string>): CreatedCgroup {
  const names = path.split('/').filter((name) => name !== '');
  const directory = `${mountpoint}/${names.join('/')}`;
  // Twice again: between mkdir of a parent and of its child, an undo or a clean-up by others may remove the parent.
  for (let attempt = 0; ; attempt++) {
    const made: string[] = [];
    try {
      let level = mountpoint;
      for (const name of names) {
        level += `/${name}`;
        if (makeDirectory(level)) made.push(level);
      }
      // A new one too: below a frozen parent it is frozen from the start.
      checkUnused(directory);
      enableControllers(mountpoint, path, needed);
      return { directory, made };
    } catch (error) {
      undoCreate({ directory, made });
      if (!(error instanceof RuntsError && error.details.errno === 'ENOENT') || attempt === 2) throw error;
    }
  }
}

/** Removes the folders that createCgroup made and that are not in use by others by now. Never throws. */
export function undoCreate(cgroup: CreatedCgroup): void {
  for (const directory of [...cgroup.made].reverse()) {
    try {
      rmdirSync(directory);
    } catch {
      return; // Another container came up below it meanwhile: then its parents are needed too.
    }
  }
}

function makeDirectory(path: string): boolean {
  try {
    mkdirSync(path, 0o755);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw cgroupError('make cgroup', path, 'mkdir', error, undefined, 'linux.cgroupsPath');
  }
}

/**
 * Refuses a cgroup with processes in it or below it, and a frozen one. One that does not exist is unused.
 *
 * To be called before the container's state names the cgroup, and by createCgroup again: what stands in the state,
 * `delete` kills, also when `create` was killed before it could look.
 *
 * @param directory the container's cgroup as a folder
 * @throws RuntsError E_CGROUP
 */
export function checkUnused(directory: string): void {
  let events: string;
  try {
    events = readFileSync(`${directory}/cgroup.events`, 'latin1');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw cgroupError('read', `${directory}/cgroup.events`, 'open', error);
  }
  if (/^populated 1$/m.test(events)) {
    const count = processesIn(directory).length;
    throw new RuntsError('E_CGROUP', `container's cgroup is not empty: ${count} process(es) found`, {
      field: 'linux.cgroupsPath',
      hint: `${directory} is in use; choose another linux.cgroupsPath or end them`,
    });
  }
  // cgroup.events and not cgroup.freeze: it also tells when a parent is frozen.
  if (/^frozen 1$/m.test(events)) {
    throw new RuntsError('E_CGROUP', `container's cgroup unexpectedly frozen`, {
      field: 'linux.cgroupsPath',
      hint: `${directory} or a cgroup above it has 1 in cgroup.freeze; write 0 to thaw it`,
    });
  }
}
