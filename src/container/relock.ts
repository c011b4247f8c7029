/**
 * The lock of a container that was let go of, for poststart hooks.
 *
 * @module
 */

import { RuntsError } from '../errors.ts';
import { type Lock, lockContainer } from './lock.ts';
import { type ContainerState, readState, stateDirectory } from './state.ts';

/**
 * Takes the lock again, when the container is still the same: meanwhile anybody may have deleted it, and made another
 * one of its name.
 *
 * @returns undefined when it is gone
 */
export function relock({ rootPath, id, init }: ContainerState): Lock | undefined {
  let lock: Lock | undefined;
  try {
    lock = lockContainer(stateDirectory(rootPath, id));
    const now = readState(rootPath, id).init;
    if (now?.pid === init?.pid && now?.startTime === init?.startTime) return lock;
  } catch (error) {
    lock?.release();
    if (error instanceof RuntsError && (error.code === 'E_NOT_FOUND' || error.code === 'E_STATE_CORRUPT')) {
      return undefined;
    }
    throw error;
  }
  lock.release();
  return undefined;
}
