/**
 * What the runtime remembers of a container: `<root>/<id>/state.json`.
 *
 * Every later command works from this file alone; the bundle's config.json may be changed or gone by then.
 *
 * @module
 */

import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from '#files';
import { errnoText } from '../cli/present.ts';
import { errnoOf, idExists, notFound, RuntsError } from '../errors.ts';
import type { ResctrlState } from '../linux/resctrl.ts';
import { waitUntil } from '../linux/wait.ts';
import type {
  Hook,
  LinuxIDMapping,
  LinuxMemoryPolicy,
  LinuxNamespace,
  LinuxPersonality,
  LinuxResources,
  Process,
} from '../spec/types.ts';
import type { ProcessIdentity } from './process.ts';

/** Version of the file's shape. A change that older code would misread increases it. */
export const STATE_VERSION = 1;

/** Where a container's processes are accounted for. */
export interface CgroupState {
  manager: 'cgroupfs' | 'systemd';
  /** Where the v2 hierarchy is mounted, e.g. `/sys/fs/cgroup`. */
  mountpoint: string;
  /** The container's cgroup, relative to the mount point, starting with a slash. */
  path: string;
  /** Where init is, below `path`, when the runtime has moved it on. */
  delegated?: string;
  /** Name of the systemd unit that owns the cgroup; only with the systemd manager. */
  unit?: string;
  /** The unit is one of the user's own systemd. */
  user?: boolean;
}

/** How far the runtime got. What the kernel knows (running, dead, frozen) isn't written but asked for. */
export type Phase = 'creating' | 'created' | 'running';

/** The content of state.json. `init` and `cgroup` stand early, with these keys in this order, for salvage.ts. */
export interface ContainerState {
  stateVersion: typeof STATE_VERSION;
  id: string;
  phase: Phase;
  /** The runtime process that creates the container: while it lives and `phase` is creating, so is the status. */
  creator: ProcessIdentity;
  /** The container's first process; null before it was spawned. */
  init: ProcessIdentity | null;
  /** null when the container runs in the cgroup of its creator (`--cgroup-manager disabled`). */
  cgroup: CgroupState | null;
  /** Version of the runtime-spec with which what `state` prints complies; runtime.md, State. */
  ociVersion: string;
  /** The bundle folder, absolute. */
  bundle: string;
  /** The root file system, absolute. */
  rootfs: string;
  /**
   * For a container without a mount namespace: how many mounts were at its root before it was made. What there is on top
   * of them is the container's, and is unmounted when it is deleted.
   */
  mountsBefore?: number;
  /** State folder of the runtime (`--root`), absolute. */
  rootPath: string;
  /** When the container was created: RFC 3339 with fractions, UTC. */
  created: string;
  /** User id that created it. */
  owner: number;
  annotations: Record<string, string>;
  /** Hooks that are still to come when `create` is over. */
  hooks: { startContainer: Hook[]; poststart: Hook[]; poststop: Hook[] };
  /** The config's process: what `exec` takes where its own process says nothing, and what hooks inherit. */
  process: Process;
  /** The container's namespaces as configured: which to join in `exec`, and whether the pid namespace is shared. */
  namespaces: LinuxNamespace[];
  uidMappings: LinuxIDMapping[];
  gidMappings: LinuxIDMapping[];
  /** SELinux label of the container's file systems. Absent when the config doesn't say. */
  mountLabel?: string;
  /** What every process of the container gets, `exec`'s too. Absent when the config doesn't say. */
  personality?: LinuxPersonality;
  memoryPolicy?: LinuxMemoryPolicy;
  /** The container's place in resctrl; absent without `linux.intelRdt`. */
  resctrl?: ResctrlState;
  /** Limits in force: config.json's and then what `update` made of them. */
  resources: LinuxResources | null;
  /** File name in the container's state folder of the compiled seccomp filter, for `exec`; null without a filter. */
  seccompFilter: string | null;
  /** The seccomp agent, when the filter leaves calls to one. */
  seccompListener?: { path: string; metadata?: string };
  /** Made by a user without privileges on the host: id maps and cgroups follow other rules. */
  rootless: boolean;
  noPivot: boolean;
  noNewKeyring: boolean;
}

/** The folder of one container. `id` must have passed checkId. */
export function stateDirectory(root: string, id: string): string {
  return `${root}/${id}`;
}

/** The FIFO on which a created container's init waits for `start`; it is removed once init was told to go. */
export function fifoPath(root: string, id: string): string {
  return `${root}/${id}/exec.fifo`;
}

export function statePath(root: string, id: string): string {
  return `${root}/${id}/state.json`;
}

/** The container's cgroup as a folder. */
export function cgroupDirectory(cgroup: CgroupState): string {
  return cgroup.path === '/' ? cgroup.mountpoint : cgroup.mountpoint + cgroup.path;
}

/** Whether the container's mounts are its own, rather than the host's. */
export function hasMountNamespace(state: Pick<ContainerState, 'namespaces'>): boolean {
  return state.namespaces.some(({ type }) => type === 'mount');
}

/** The current time as `created` has it. */
export function timestamp(): string {
  return new Date().toISOString();
}

/** A failed system call on a file of the state folder. */
function rootError(what: string, syscall: string, path: string, error: unknown, hint?: string): RuntsError {
  return new RuntsError('E_ROOT', `cannot ${what}: ${syscall} ${path}: ${errnoText(error)}`, {
    syscall,
    errno: errnoOf(error),
    hint,
    cause: error,
  });
}

/** The one error for a folder whose state can't be used. */
export function corrupt(id: string, path: string, what: string, cause?: unknown): RuntsError {
  return new RuntsError('E_STATE_CORRUPT', `state of container ${id} is unusable: ${path}: ${what}`, {
    hint: `remove what is left of it with: runts delete --force ${id}`,
    cause,
  });
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
const isNumber: Check = (value) => typeof value === 'number';
const isObject: Check = (value) => typeof value === 'object' && value !== null;
const isProcess: Check = (value) => {
  const { pid, startTime } = (value ?? {}) as Partial<ProcessIdentity>;
  return isNumber(pid) && isNumber(startTime);
};

/** What every state.json has: the fields whose absence would make later code fail obscurely. */
const SHAPE: readonly (readonly [keyof ContainerState, Check])[] = [
  ['creator', isProcess],
  ['init', (value) => value === null || isProcess(value)],
  [
    'cgroup',
    (value) => {
      const { mountpoint, path } = (value ?? {}) as Partial<CgroupState>;
      return value === null || (isText(mountpoint) && isText(path));
    },
  ],
  ['ociVersion', isText],
  ['bundle', isText],
  ['rootfs', isText],
  ['created', isText],
  ['owner', isNumber],
  ['annotations', isObject],
  [
    'hooks',
    (value) => {
      const { startContainer, poststart, poststop } = (value ?? {}) as Partial<ContainerState['hooks']>;
      return [startContainer, poststart, poststop].every(Array.isArray);
    },
  ],
  ['process', isObject],
  ['namespaces', Array.isArray],
  ['uidMappings', Array.isArray],
  ['gidMappings', Array.isArray],
];

/**
 * Parses the text of a state.json. Only its shape is checked: the runtime wrote the file itself, and every command pays
 * for what happens here.
 *
 * @throws Error that says what is wrong
 */
export function parseState(text: string, id: string): ContainerState {
  const state: unknown = JSON.parse(text);
  if (typeof state !== 'object' || state === null) throw new Error('not an object');
  const fields = state as Partial<ContainerState>;
  if (fields.stateVersion !== STATE_VERSION) {
    throw new Error(
      `stateVersion is ${JSON.stringify(fields.stateVersion)}, this runts reads ${STATE_VERSION}`,
    );
  }
  if (fields.id !== id) throw new Error(`it is of container ${JSON.stringify(fields.id)}`);
  for (const [name, isRight] of SHAPE) {
    if (!isRight(fields[name])) throw new Error(`${name} is missing or of a wrong type`);
  }
  return state as ContainerState;
}

/**
 * The state of a container.
 *
 * @throws RuntsError E_NOT_FOUND without such a container; E_STATE_CORRUPT when its folder has no usable state.json
 *   (a `create` that was killed at its very beginning, a damaged file, or one of a later version); E_ROOT when it
 *   can't be read
 */
export function readState(root: string, id: string): ContainerState {
  const path = statePath(root, id);
  const text = readText(root, id, path);
  let state: ContainerState;
  try {
    state = parseState(text, id);
  } catch (error) {
    throw corrupt(id, path, error instanceof Error ? error.message : String(error), error);
  }
  // The folder may be mounted elsewhere than when the file was written.
  state.rootPath = root;
  return state;
}

/**
 * A folder without state.json is one that `create` has just made or `delete` is about to remove: soon it is there, or
 * the folder isn't. Otherwise the runtime was killed at that very moment.
 */
function readText(root: string, id: string, path: string): string {
  const SOON_MS = 250;
  let text: string | undefined;
  let failure: unknown;
  const isDecided = (): boolean => {
    try {
      text = readFileSync(path, 'utf8');
      return true;
    } catch (error) {
      failure = error;
      const errno = errnoOf(error);
      return (errno !== 'ENOENT' && errno !== 'ENOTDIR') || !stateExists(root, id);
    }
  };
  const decided = isDecided() || waitUntil(isDecided, SOON_MS);
  if (text !== undefined) return text;
  if (!decided) throw corrupt(id, path, 'it does not exist', failure);
  if (!stateExists(root, id)) throw notFound(id);
  // Whoever may not look can't repair it either; anything else is a damaged folder.
  const errno = errnoOf(failure);
  if (errno !== 'EACCES' && errno !== 'EPERM') throw corrupt(id, path, errnoText(failure), failure);
  throw rootError(`read the state of container ${id}`, 'open', path, failure);
}

/** Whether there is a folder for that id, with or without a usable state in it. */
export function stateExists(root: string, id: string): boolean {
  const path = stateDirectory(root, id);
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return false;
    throw rootError(`look for container ${id}`, 'stat', path, error);
  }
}

/**
 * Makes the container's own folder, which reserves its id. `root` must be there: ensureRoot of cli/root.ts.
 *
 * @throws RuntsError E_ID_EXISTS when the id is taken; E_ROOT when the folder can't be made
 */
export function makeStateDirectory(root: string, id: string): void {
  const path = stateDirectory(root, id);
  try {
    mkdirSync(path, 0o700);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') throw idExists(id);
    throw rootError(`make the state folder of container ${id}`, 'mkdir', path, error, hintOf(error, root));
  }
}

function hintOf(error: unknown, root: string): string | undefined {
  const errno = errnoOf(error);
  if (errno === 'ENOSPC' || errno === 'EDQUOT') return `make room on the file system of ${root}`;
  if (errno === 'EACCES' || errno === 'EROFS') return 'choose a writable folder with --root';
  return undefined;
}

/**
 * Writes a container's state. A reader sees the old or the new file, never a part: it is written beside and renamed.
 *
 * There is no fsync: the file must survive the death of the runtime, which the page cache does, not a crash of the
 * machine, which no container survives either; and the folder is on a tmpfs (/run), where fsync does nothing.
 *
 * The caller holds the container's lock, so there is one writer and the temporary name can be fixed: what a killed
 * writer leaves is overwritten by the next.
 *
 * @throws RuntsError E_ROOT, with the old state intact
 */
export function writeState(state: ContainerState): void {
  const path = statePath(state.rootPath, state.id);
  const temporary = `${path}.new`;
  try {
    // Process environments hold secrets: for the owner only.
    writeFileSync(temporary, JSON.stringify(state), { mode: 0o600 });
    renameSync(temporary, path);
  } catch (error) {
    try {
      unlinkSync(temporary);
    } catch {
      // It may never have been made.
    }
    const what = `write the state of container ${state.id}`;
    throw rootError(what, 'write', path, error, hintOf(error, state.rootPath));
  }
}

/**
 * Removes a container's folder. state.json goes last: if this process is killed on the way, the next `delete` still
 * knows everything.
 *
 * @throws RuntsError E_ROOT when something can't be removed; a folder that is gone already is fine
 */
export function removeStateDirectory(root: string, id: string): void {
  const directory = stateDirectory(root, id);
  try {
    // A command that waits for the lock may add its lock file again between the list and rmdir.
    for (let attempt = 0; ; attempt++) {
      const names = readdirSync(directory).filter((name) => name !== 'state.json');
      for (const name of [...names, 'state.json']) removeIfThere(`${directory}/${name}`);
      try {
        rmdirSync(directory);
        return;
      } catch (error) {
        if (errnoOf(error) !== 'ENOTEMPTY' || attempt === 10) throw error;
      }
    }
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return;
    throw rootError(`remove container ${id}`, 'unlink', directory, error);
  }
}

/** A file, or the folder of the notify socket: unlink(2) of a folder is EISDIR. */
function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EISDIR' || errno === 'EPERM') rmSync(path, { recursive: true, force: true });
    else if (errno !== 'ENOENT') throw error;
  }
}
