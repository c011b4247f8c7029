/**
 * Where CRIU restores a container: in a mount namespace of its own, on a copy of the rootfs's mount, so that the host
 * sees nothing of it, and with all mount points made as `create` makes them.
 *
 * @module
 */

import { AT, CLONE, MNT, MOVE_MOUNT, MS } from '../../ffi/constants/index.ts';
import { type Program, valueIn } from '../../ffi/program.ts';
import { isWithin } from '../linux/mountinfo.ts';
import { relativeToRoot } from '../plan/opened.ts';
import { cloneTree, RootAccess } from '../plan/root.ts';
import type { Mount } from '../spec/types.ts';
import { isBindMount } from './mounts.ts';

export interface RestoreRoot {
  /** Absolute. */
  rootfs: string;
  bundle: string;
  mounts: readonly Mount[];
  /** An empty folder: CRIU wants a mount whose parent is not covered. */
  place: string;
  missingTargets?: ReadonlyMap<string, string>;
}

const ATTACH = MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH;

/** Mount points that CRIU doesn't need made: what it mounts there first brings them. */
function isCovered(path: string, mounts: readonly Mount[], index: number): boolean {
  return mounts
    .slice(0, index)
    .some(
      (other) =>
        !isBindMount(other) &&
        relativeToRoot(other.destination) !== '.' &&
        path !== relativeToRoot(other.destination) &&
        isWithin(path, relativeToRoot(other.destination)),
    );
}

/** Appends what makes the root. `finish` appends what the program must not run into. */
export function planRestoreRoot(program: Program, options: RestoreRoot): { finish(): void } {
  const root = new RootAccess(program, options.missingTargets);
  program.call('unshare', [CLONE.NEWNS], { note: 'nothing of this reaches the host' });
  program.call('mount', [null, '/', null, MS.SLAVE | MS.REC, null]);
  const attach = (): void => {
    program.within('root.path', () => {
      program.call('open_tree', [AT.FDCWD, options.rootfs, cloneTree(true)], { store: root.fd });
      program.call('move_mount', [valueIn(root.fd), '', AT.FDCWD, options.place, MOVE_MOUNT.F_EMPTY_PATH]);
    });
  };
  attach();
  options.mounts.forEach((mount, index) => {
    const path = relativeToRoot(mount.destination);
    if (path === '.' || isCovered(path, options.mounts, index)) return;
    const field = `mounts[${index}]`;
    program.within(field, () => {
      if (!isBindMount(mount)) {
        root.openTarget(mount.destination, 'folder', field);
      } else {
        // Mounted for the moment: later mount points may lie in it.
        const source = sourceOf(mount, options.bundle);
        program.call('open_tree', [AT.FDCWD, source, cloneTree(true)], {
          store: root.tree,
          field: `${field}.source`,
        });
        root.openTarget(mount.destination, 'like', field);
        program.call('move_mount', [valueIn(root.tree), '', valueIn(root.target), '', ATTACH]);
        program.call('close', [valueIn(root.tree)]);
      }
      program.call('close', [valueIn(root.target)]);
    });
  });
  program.call('close', [valueIn(root.fd)]);
  program.call('umount2', [options.place, MNT.DETACH]);
  attach();
  program.call('close', [valueIn(root.fd)]);
  return root;
}

function sourceOf({ source = '' }: Mount, bundle: string): string {
  return source.startsWith('/') ? source : `${bundle}/${source}`;
}
