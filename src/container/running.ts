/**
 * A container for commands that act on one that is there: its state, and what it is doing.
 *
 * @module
 */

import { notRunning, RuntsError } from '../errors.ts';
import { checkId } from './id.ts';
import { type CgroupState, type ContainerState, readState } from './state.ts';
import { type Status, statusOf } from './status.ts';

export interface Found {
  state: ContainerState;
  status: Status;
}

/** The container of this id. Throws E_NOT_FOUND, E_ID_INVALID, E_STATE_CORRUPT. */
export function find(root: string, id: string): Found {
  checkId(id);
  const state = readState(root, id);
  return { state, status: statusOf(state) };
}

/** Acts on a container; whatever fails because it ended meanwhile is E_NOT_RUNNING. */
export async function whileAlive<T>(state: ContainerState, act: () => T | Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw statusOf(state) === 'stopped' ? notRunning(error) : error;
  }
}

/** The cgroup of a container, for commands that work through it. */
export function cgroupOf(state: ContainerState): CgroupState {
  if (state.cgroup !== null) return state.cgroup;
  throw new RuntsError('E_CGROUP', `container ${state.id} has no cgroup`, {
    hint: 'it was created with --cgroup-manager disabled, or by a user who may not make cgroups',
  });
}
