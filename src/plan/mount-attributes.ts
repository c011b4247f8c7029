/**
 * Attributes and propagation of mounts that exist: mount_setattr(2), and mount(2) where the kernel hasn't got it.
 *
 * @module
 */

import { AT, MOUNT_ATTR, MOVE_MOUNT, MS, O } from '../../ffi/constants/index.ts';
import { addressOf, type Cell, valueIn, words } from '../../ffi/program.ts';
import { RuntsError } from '../errors.ts';
import type { PlanContext } from './types.ts';

/** sizeof(struct mount_attr), mount_setattr(2). */
export const MOUNT_ATTR_SIZE = 32;
const ATTACH = MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH;

const STATFS_SIZE = 120;
/** Offset of f_flags in struct statfs on 64-bit machines. */
const STATFS_FLAGS = 80;
/** What has the same number in mount(2), in statfs(2) and as an attribute. */
const COMMON_BITS = MS.RDONLY | MS.NOSUID | MS.NODEV | MS.NOEXEC;

/** A change of one mount, or of all mounts of a tree. */
export interface MountChange {
  /** MOUNT_ATTR_*. */
  set?: number;
  clear?: number;
  /** MS_PRIVATE and the like. */
  propagation?: number;
  recursive?: boolean;
}

/** Linux 5.12. */
export function hasMountSetattr(ctx: PlanContext): boolean {
  return ctx.facts.mountSetattr !== false;
}

/**
 * Changes a mount, named by a descriptor of its root. Before Linux 5.12 it must be attached, and attributes are changed
 * on that one mount only.
 */
export function planMountChange(ctx: PlanContext, mount: Cell, change: MountChange): void {
  const { set = 0, clear = 0, propagation = 0, recursive = false } = change;
  if (set === 0 && clear === 0 && propagation === 0) return;
  if (!hasMountSetattr(ctx)) {
    planOldChange(ctx, mount, { set, clear, propagation, recursive });
    return;
  }
  ctx.program.call('mount_setattr', [
    valueIn(mount),
    '',
    AT.EMPTY_PATH | (recursive ? AT.RECURSIVE : 0),
    words('mount_attr', [set, clear, propagation, 0]),
    MOUNT_ATTR_SIZE,
  ]);
}

/**
 * Attaches a detached tree to what a descriptor is open on, with changes of its attributes: before, where the kernel
 * can, so that no copy of it is ever seen without them.
 */
export function planAttach(
  ctx: PlanContext,
  tree: Cell,
  target: Cell,
  changes: readonly MountChange[] = [],
): void {
  const attach = (): void => ctx.program.call('move_mount', [valueIn(tree), '', valueIn(target), '', ATTACH]);
  if (!hasMountSetattr(ctx)) attach();
  for (const change of changes) planMountChange(ctx, tree, change);
  if (hasMountSetattr(ctx)) attach();
}

/**
 * For what can't be done without mount_setattr(2).
 *
 * @throws RuntsError E_UNSUPPORTED
 */
export function requireMountSetattr(ctx: PlanContext, field: string, what: string): void {
  if (hasMountSetattr(ctx)) return;
  throw new RuntsError('E_UNSUPPORTED', `${field}: ${what} needs mount_setattr(2)`, {
    field,
    syscall: 'mount_setattr',
    errno: 'ENOSYS',
    hint: 'Linux 5.12 or later; a seccomp filter around the runtime can hide it, too',
  });
}

/** Above all descriptors that init has while it mounts, and below the usual limit. */
const OLD_DESCRIPTOR = 900;

/** mount(2) takes a path: the descriptor, at a number that is known now, through the host's /proc. */
function planOldChange(ctx: PlanContext, mount: Cell, change: Required<MountChange>): void {
  const { program, options } = ctx;
  const number = OLD_DESCRIPTOR + options.preserveFds;
  const path = `/proc/self/fd/${number}`;
  program.call('dup3', [valueIn(mount), number, O.CLOEXEC]);
  if (change.set !== 0 || change.clear !== 0) {
    // A remount sets all flags, so those that are there must be said again. Some may not be cleared.
    const statfs = program.cell('mountStatfs', STATFS_SIZE);
    const flags = program.cell('mountFlags');
    const kept = (COMMON_BITS | MS.NOATIME | MS.NODIRATIME) & ~oldFlags(change.clear);
    program.call('fstatfs', [valueIn(mount), addressOf(statfs)]);
    program.set(flags, valueIn(statfs, STATFS_FLAGS), '&', kept);
    program.set(flags, valueIn(flags), '|', oldFlags(change.set) | MS.REMOUNT | MS.BIND);
    program.call('mount', [null, path, null, valueIn(flags), null]);
  }
  if (change.propagation !== 0) {
    const flags = change.propagation | (change.recursive ? MS.REC : 0);
    program.call('mount', [null, path, null, flags, null]);
  }
  program.call('close', [number]);
}

/** The flags of mount(2) for attributes. */
export function oldFlags(attributes: number): number {
  let flags = attributes & COMMON_BITS;
  if (attributes & MOUNT_ATTR.NODIRATIME) flags |= MS.NODIRATIME;
  if (attributes & MOUNT_ATTR.NOSYMFOLLOW) flags |= MS.NOSYMFOLLOW;
  if (attributes & MOUNT_ATTR.NOATIME) flags |= MS.NOATIME;
  if (attributes & MOUNT_ATTR.STRICTATIME) flags |= MS.STRICTATIME;
  return flags;
}

/** The attributes for flags of mount(2). */
export function attributesOf(flags: number): number {
  let attributes = flags & COMMON_BITS;
  if (flags & MS.NODIRATIME) attributes |= MOUNT_ATTR.NODIRATIME;
  if (flags & MS.NOSYMFOLLOW) attributes |= MOUNT_ATTR.NOSYMFOLLOW;
  if (flags & MS.NOATIME) attributes |= MOUNT_ATTR.NOATIME;
  if (flags & MS.STRICTATIME) attributes |= MOUNT_ATTR.STRICTATIME;
  return attributes;
}
