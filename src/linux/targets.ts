/**
 * Where the destinations of mounts lie when symlinks of the image lead to something that isn't there yet, like
 * /etc/resolv.conf -> ../run/systemd/resolve/stub-resolv.conf: what the link names is to be made then, not the link.
 *
 * The kernel makes no missing folders behind a symlink, so the names are found out here, as hints: whatever they are,
 * the paths are resolved inside the root again when something is made.
 *
 * @module
 */

import { closeSync, lstatSync, readlinkSync } from '#files';
import { ERRNO, O, RESOLVE } from '../../ffi/constants/index.ts';
import { dirname } from '../paths.ts';
import { openInRoot, withRoot } from './in-root.ts';

/** As many symlinks as the kernel follows in a path, path_resolution(7). */
const MAX_LINKS = 40;

/** The root itself, and file systems that are mounted before anything is made in them: nothing of the image is seen there. */
const COVERED = /^\/*((proc|dev|sys)(\/|$)|$)/;

/**
 * The real places of those paths that lead through a symlink to something that is missing.
 *
 * @param rootfs - absolute path of the container's root
 * @param paths - of the container
 */
export function missingTargets(rootfs: string, paths: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const uncovered = paths.filter((path) => !COVERED.test(path));
  if (uncovered.length === 0) return found;
  withRoot(rootfs, (root) => {
    for (const path of uncovered) {
      const target = mayHaveSymlink(root, path) ? missingTarget(rootfs, path) : undefined;
      if (target !== undefined) found.set(path, target);
    }
  });
  return found;
}

/** Whether there may be a symlink on the way: the kernel's answer to the whole path, which spares most of them the walk. */
function mayHaveSymlink(root: number, path: string): boolean {
  const fd = openInRoot(root, path, O.PATH, RESOLVE.NO_SYMLINKS);
  if (fd >= 0) closeSync(fd);
  return fd < 0 && fd !== -ERRNO.ENOENT;
}

/** Follows a path as in a root of its own. Gives undefined when it exists, or when no symlink is on the way. */
function missingTarget(rootfs: string, path: string): string | undefined {
  const names = components(path);
  let at = '/';
  let links = 0;
  let missing = false;
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    if (name === '..') {
      at = dirname(at);
      continue;
    }
    const next = at === '/' ? `/${name}` : `${at}/${name}`;
    const link = missing ? null : linkAt(rootfs + next);
    if (link === undefined) missing = true;
    if (typeof link !== 'string') {
      at = next;
      continue;
    }
    if (++links > MAX_LINKS) return undefined;
    if (link.startsWith('/')) at = '/';
    names.unshift(...components(link));
  }
  return missing && links > 0 ? at : undefined;
}

function components(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

/** A symlink's target; null for anything else that is there, undefined for what isn't. */
function linkAt(path: string): string | null | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? readlinkSync(path) : null;
  } catch {
    return undefined;
  }
}
