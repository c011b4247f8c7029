/**
 * One command at a time on a container.
 *
 * The lock is flock(2) on the container's state folder itself: the kernel drops it when its holder dies, however that
 * happens, and there is no lock file to clean up. Different containers don't wait for each other.
 *
 * @module
 */

import { closeSync, constants, fstatSync, openSync, statSync } from '#files';
import { lockFile } from '../../ffi/descriptors.ts';
import { errnoOf, notFound, RuntsError } from '../errors.ts';

/** The right to change a container, until it is released or this process ends. */
export interface Lock {
  /** May be called again. */
  release(): void;
}

/**
 * Waits for the exclusive lock of a container.
 *
 * @param directory - its state folder, absolute; its name is the container's id
 * @throws RuntsError E_NOT_FOUND when there is no such container, or it was deleted while this waited; E_ROOT when its
 *   folder can't be opened
 */
export function lockContainer(directory: string): Lock {
  const id = directory.slice(directory.lastIndexOf('/') + 1);
  let fd = open(directory, id);
  const release = (): void => {
    if (fd >= 0) closeSync(fd);
    fd = -1;
  };
  try {
    lockFile(fd);
    // A `delete` that held the lock before us has removed the folder; a `create` may have made a new one since.
    if (!isSameFolder(fd, directory)) throw notFound(id);
    return { release };
  } catch (error) {
    release();
    throw error;
  }
}

/** Runs `body` with the container's lock held. Errors as {@link lockContainer}. */
export function withLock<Result>(directory: string, body: () => Result): Result {
  const lock = lockContainer(directory);
  try {
    return body();
  } finally {
    lock.release();
  }
}

/** As {@link withLock}, until what `body` promises is done. */
export async function withLockAsync<Result>(directory: string, body: () => Promise<Result>): Promise<Result> {
  const lock = lockContainer(directory);
  try {
    return await body();
  } finally {
    lock.release();
  }
}

function open(directory: string, id: string): number {
  try {
    return openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') throw notFound(id);
    const message = error instanceof Error ? error.message : String(error);
    throw new RuntsError('E_ROOT', `cannot open the state folder of container ${id}: ${message}`, {
      syscall: 'open',
      errno,
      cause: error,
    });
  }
}

/** The inode can't have been reused: ours is still open. */
function isSameFolder(fd: number, path: string): boolean {
  const ours = fstatSync(fd);
  const now = statSync(path, { throwIfNoEntry: false });
  return now !== undefined && now.ino === ours.ino && now.dev === ours.dev;
}
