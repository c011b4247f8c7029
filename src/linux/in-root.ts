/**
 * Paths of a container, opened by the runtime itself: for what it reads, or wants to know beforehand. What is made or
 * mounted in a root is the executor's (../plan/root.ts).
 *
 * @module
 */

import { closeSync } from '#files';
import { AT, O, RESOLVE } from '../../ffi/constants/index.ts';
import { trySyscall } from '../../ffi/local.ts';

/**
 * Calls a function with a root's descriptor.
 *
 * @param path - of the root's folder
 * @returns undefined where there is no such folder
 */
export function withRoot<T>(path: string, use: (root: number) => T): T | undefined {
  const root = trySyscall('openat', [AT.FDCWD, path, O.PATH | O.DIRECTORY | O.CLOEXEC, 0]);
  if (root < 0) return undefined;
  try {
    return use(root);
  } finally {
    closeSync(root);
  }
}

/**
 * openat2(2) with no way out of the root, and no magic links.
 *
 * @param flags - O_CLOEXEC is added
 * @param resolve - RESOLVE_* to add
 * @returns a descriptor, or the errno below 0
 */
export function openInRoot(root: number, path: string, flags: number, resolve = 0): number {
  const how = new BigUint64Array([
    BigInt(flags | O.CLOEXEC),
    0n,
    BigInt(RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS | resolve),
  ]);
  return trySyscall('openat2', [root, path.replace(/^\/+/, '') || '.', how, how.byteLength]);
}
