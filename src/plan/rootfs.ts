/**
 * The container's root as a mount: propagation, read-only, and how it becomes the root.
 *
 * @module
 */

import { AT, MNT, MOUNT_ATTR, MOVE_MOUNT, MS, O } from '../../ffi/constants/index.ts';
import { type Cell, type ProgramBuilder, valueIn } from '../../ffi/program.ts';
import { RuntsError } from '../errors.ts';
import type { Linux } from '../spec/types.ts';
import { planMountChange } from './mount-attributes.ts';
import type { RootAccess } from './root.ts';
import { cloneTree } from './root.ts';
import type { PlanContext } from './types.ts';

type Propagation = Linux['rootfsPropagation'];

/** Each value of linux.rootfsPropagation, for mount(2). */
const PROPAGATION: Readonly<Record<string, number>> = {
  private: MS.PRIVATE,
  rprivate: MS.PRIVATE | MS.REC,
  slave: MS.SLAVE,
  rslave: MS.SLAVE | MS.REC,
  shared: MS.SHARED,
  rshared: MS.SHARED | MS.REC,
  unbindable: MS.UNBINDABLE,
  runbindable: MS.UNBINDABLE | MS.REC,
};

function flagsOf(propagation: Propagation): number {
  return PROPAGATION[propagation ?? ''] ?? 0;
}

/** True when what is mounted in the container is to be shared. */
export function isShared(propagation: Propagation): boolean {
  return (flagsOf(propagation) & MS.SHARED) !== 0;
}

/**
 * How all mounts of the new namespace begin, which are copies of the host's.
 *
 * By default they are slaves: nothing that the container mounts or unmounts reaches the host, while the host's later
 * mounts come in. That has to hold for all of them, also where only the root's own propagation is asked for.
 */
export function firstPropagation(propagation: Propagation): number {
  const flags = flagsOf(propagation);
  if ((flags & MS.SHARED) !== 0) return flags;
  // An unbindable root could not be bound to itself: it becomes so when it is the root.
  if ((flags & (MS.PRIVATE | MS.UNBINDABLE)) !== 0) return MS.PRIVATE | MS.REC;
  return MS.SLAVE | MS.REC;
}

/**
 * Sets the propagation of everything that the new mount namespace begins with.
 *
 * @throws RuntsError E_CONFIG_INVALID for one that --no-pivot can't be used with
 */
export function planFirstPropagation(ctx: PlanContext, propagation: Propagation): void {
  const { program, facts, options } = ctx;
  program.within('linux.rootfsPropagation', () => {
    if (options.noPivot && (flagsOf(propagation) & MS.PRIVATE) !== 0) {
      throw new RuntsError(
        'E_CONFIG_INVALID',
        `linux.rootfsPropagation: ${propagation} is not safe without pivot_root`,
        { field: 'linux.rootfsPropagation', hint: 'leave out --no-pivot, or use slave' },
      );
    }
    program.call('mount', [null, '/', null, firstPropagation(propagation), null]);
    if (isShared(propagation) && facts.rootfsMount !== undefined) {
      // pivot_root(2) refuses a root whose parent mount is shared
      program.call('mount', [null, facts.rootfsMount, null, MS.PRIVATE, null]);
    }
  });
}

/** The rootfs as a mount of its own, at its own place. */
export function planRootMount(ctx: PlanContext, root: RootAccess): void {
  const { program, options } = ctx;
  program.within('root.path', () => {
    program.call('open_tree', [AT.FDCWD, options.rootfs, cloneTree(true)], { store: root.fd });
    program.call('move_mount', [valueIn(root.fd), '', AT.FDCWD, options.rootfs, MOVE_MOUNT.F_EMPTY_PATH]);
  });
}

/** For a mount on `/`: what covers the root is the root from here on. */
export function planReopenRoot(ctx: PlanContext, root: RootAccess): void {
  ctx.program.call('close', [valueIn(root.fd)]);
  ctx.program.call('openat', [AT.FDCWD, ctx.options.rootfs, O.PATH | O.DIRECTORY | O.CLOEXEC], {
    store: root.fd,
  });
}

export function planReadonlyRoot(ctx: PlanContext, root: RootAccess): void {
  ctx.program.within('root.readonly', () => planMountChange(ctx, root.fd, { set: MOUNT_ATTR.RDONLY }));
}

/** Makes the root the root of everything. */
export function planEnterRoot(ctx: PlanContext, root: RootAccess, propagation: Propagation): void {
  const { program, options } = ctx;
  program.within('root.path', () => {
    if (options.noPivot) planMoveRoot(ctx, root, isShared(propagation));
    else planPivot(ctx, root, isShared(propagation));
    program.call('chdir', ['/']);
    const flags = flagsOf(propagation);
    if (flags !== 0 && (flags & MS.PRIVATE) === 0)
      program.call('mount', [null, '/', null, flags, null], { field: 'linux.rootfsPropagation' });
  });
}

/** pivot_root(".", ".") puts the old root on top of the new one, where it is detached: pivot_root(2), NOTES. */
function planPivot(ctx: PlanContext, root: RootAccess, shared: boolean): void {
  const { program } = ctx;
  const old = shared ? program.cell('oldRoot') : undefined;
  program.call('fchdir', [valueIn(root.fd)]);
  if (old !== undefined)
    program.call('openat', [AT.FDCWD, '/', O.PATH | O.DIRECTORY | O.CLOEXEC], { store: old });
  program.call('pivot_root', ['.', '.']);
  if (old !== undefined) {
    // or the unmount of the old root would reach the host
    program.call('fchdir', [valueIn(old)]);
    program.call('mount', [null, '.', null, MS.SLAVE | MS.REC, null]);
    program.call('close', [valueIn(old)]);
  }
  program.call('umount2', ['.', MNT.DETACH]);
}

/**
 * --no-pivot: the root is moved onto `/`, and the host's mounts stay below it.
 *
 * Out of sight, but the kernel lets a user namespace mount a new proc or sysfs where a complete one is in the mount
 * namespace already: with the host's there, a container could undo what is masked in its own. So they go, or are covered
 * where they can't be unmounted.
 */
function planMoveRoot(ctx: PlanContext, root: RootAccess, shared: boolean): void {
  const { program, facts } = ctx;
  for (const path of facts.kernelMounts ?? []) {
    const [cover, gone] = [program.label('cover'), program.label('gone')];
    // or the unmount would reach the host
    program.call('mount', [null, path, null, MS.SLAVE | MS.REC, null]);
    program.call('umount2', [path, MNT.DETACH], { tolerate: ['EINVAL', 'EPERM'], goto: cover });
    program.jump(gone);
    program.place(cover);
    program.call('mount', ['tmpfs', path, 'tmpfs', MS.RDONLY, null]);
    program.place(gone);
  }
  // or the host's root would be covered as well
  if (shared) program.call('mount', [null, '/', null, MS.SLAVE, null]);
  program.call('fchdir', [valueIn(root.fd)]);
  program.call('mount', ['.', '/', null, MS.MOVE, null]);
  program.call('chroot', ['.']);
}

/** Without a mount namespace there is nothing whose propagation could be set but the host's. */
export function refusePropagation(propagation: Propagation): void {
  if (!propagation) return;
  throw new RuntsError('E_CONFIG_INVALID', 'linux.rootfsPropagation: needs a mount namespace', {
    field: 'linux.rootfsPropagation',
    hint: 'add {"type": "mount"} to linux.namespaces, or leave the propagation out',
  });
}

/** In the runtime's own mount namespace: what is mounted in the root must not appear below what it was bound from. */
export function planPrivateRoot(ctx: PlanContext, root: RootAccess): void {
  ctx.program.within('root.path', () =>
    planMountChange(ctx, root.fd, { propagation: MS.PRIVATE, recursive: true }),
  );
}

/** Without a mount namespace of its own a container can't have a root of its own but by chroot(2). */
export function planConfine(program: ProgramBuilder, root: Cell): void {
  program.within('root.path', () => {
    program.call('fchdir', [valueIn(root)]);
    program.call('chroot', ['.']);
    program.call('chdir', ['/']);
  });
}

/** The same for what joins such a container later. */
export function planConfineTo(program: ProgramBuilder, rootfs: string): void {
  const root = program.cell('root');
  program.call('openat', [AT.FDCWD, rootfs, O.PATH | O.DIRECTORY | O.CLOEXEC], {
    store: root,
    field: 'root.path',
  });
  planConfine(program, root);
  program.call('close', [valueIn(root)]);
}
