/**
 * What a container is doing now, from its state.json and what the kernel says of its init.
 *
 * @module
 */

import { accessSync, readFileSync } from '#files';
import { isAlive } from './process.ts';
import { type ContainerState, cgroupDirectory, fifoPath } from './state.ts';

/** runtime.md, State: creating, created, running, stopped; `paused` is what all runtimes add. */
export type Status = 'creating' | 'created' | 'running' | 'paused' | 'stopped';

/** The state object of runtime.md, State: hooks and the seccomp agent get it. */
export interface OciState {
  ociVersion: string;
  id: string;
  status: Status;
  /** Of the container's init, as the runtime sees it; 0 once it is stopped or before it was spawned. */
  pid: number;
  bundle: string;
  annotations?: Record<string, string>;
}

/** What `state` and `list` print: the state object and runc's additions, in runc's order. */
export interface StateOutput {
  ociVersion: string;
  id: string;
  pid: number;
  status: Status;
  bundle: string;
  rootfs: string;
  /** RFC 3339, UTC. */
  created: string;
  annotations?: Record<string, string>;
  /** Name of the user that created the container; empty in `state`, as runc has it. */
  owner: string;
}

/** Whether the runtime froze the container's cgroup; cgroup-v2.rst, cgroup.freeze. */
function isFrozen(directory: string): boolean {
  try {
    return readFileSync(`${directory}/cgroup.freeze`, 'latin1').startsWith('1');
  } catch {
    // Gone, or no freezer there: then nothing is frozen.
    return false;
  }
}

function exists(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}

/**
 * The status of a container.
 *
 * A container whose creating runtime died is `stopped`, whatever its init does (it waits for answers that never
 * come): it can't be started any more, only deleted.
 */
export function statusOf(state: ContainerState): Status {
  if (state.phase === 'creating') return isAlive(state.creator) ? 'creating' : 'stopped';
  if (state.init === null || !isAlive(state.init)) return 'stopped';
  if (state.cgroup && isFrozen(cgroupDirectory(state.cgroup))) return 'paused';
  return state.phase === 'created' && exists(fifoPath(state.rootPath, state.id)) ? 'created' : 'running';
}

function pidOf(state: ContainerState, status: Status): number {
  return status === 'stopped' ? 0 : (state.init?.pid ?? 0);
}

/** Annotations are left out when there are none, as the specification's own tools do. */
function annotationsOf(state: ContainerState): { annotations?: Record<string, string> } {
  for (const _ in state.annotations) return { annotations: state.annotations };
  return {};
}

/** The state object that hooks read from stdin. `status` is given where the specification fixes it (`creating`). */
export function ociState(state: ContainerState, status: Status = statusOf(state)): OciState {
  return {
    ociVersion: state.ociVersion,
    id: state.id,
    status,
    pid: pidOf(state, status),
    bundle: state.bundle,
    ...annotationsOf(state),
  };
}

/** The object that `state` and `list` print. */
export function stateOutput(
  state: ContainerState,
  owner = '',
  status: Status = statusOf(state),
): StateOutput {
  return {
    ociVersion: state.ociVersion,
    id: state.id,
    pid: pidOf(state, status),
    status,
    bundle: state.bundle,
    rootfs: state.rootfs,
    created: state.created,
    ...annotationsOf(state),
    owner,
  };
}
