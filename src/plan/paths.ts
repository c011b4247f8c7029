/**
 * `linux.maskedPaths` and `linux.readonlyPaths`.
 *
 * A masked file is covered with /dev/null, a masked folder with one empty read-only tmpfs that all share: a tmpfs each
 * costs a super block each. The cover for files is the host's /dev/null, opened before the container's root is entered
 * and checked by number, so that nothing in the image can stand in for it (CVE-2025-31133).
 *
 * @module
 */

import {
  AT,
  FSCONFIG,
  FSMOUNT,
  FSOPEN,
  MOUNT_ATTR,
  MOVE_MOUNT,
  O,
  STATX,
} from '../../ffi/constants/index.ts';
import type { Cell } from '../../ffi/program.ts';
import { addressOf, valueIn, words } from '../../ffi/program.ts';
import type { RootAccess } from './root.ts';
import { cloneTree } from './root.ts';
import type { PlanContext } from './types.ts';

const ATTACH = MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH;
const MOUNT_ATTR_SIZE = 32;
const SEALED = MOUNT_ATTR.RDONLY | MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV | MOUNT_ATTR.NOEXEC;

/** Paths that don't exist are passed over. */
export function planReadonlyPaths(ctx: PlanContext, root: RootAccess, paths: readonly string[]): void {
  const { program } = ctx;
  if (paths.length === 0) return;
  const target = program.cell('readonlyTarget');
  const tree = program.cell('readonlyTree');
  paths.forEach((path, i) => {
    program.within(`linux.readonlyPaths[${i}]`, () => {
      const next = program.label('next');
      root.open(path, target, { missing: next });
      program.call('open_tree', [valueIn(target), '', AT.EMPTY_PATH | cloneTree(true)], { store: tree });
      program.call('mount_setattr', [
        valueIn(tree),
        '',
        AT.EMPTY_PATH | AT.RECURSIVE,
        words('mount_attr', [MOUNT_ATTR.RDONLY, 0, 0, 0]),
        MOUNT_ATTR_SIZE,
      ]);
      program.call('move_mount', [valueIn(tree), '', valueIn(target), '', ATTACH]);
      program.call('close', [valueIn(tree)]);
      program.call('close', [valueIn(target)]);
      program.place(next);
    });
  });
}

/** Opens the cover for files; must run while the root is still the host's. */
export function planMaskSource(ctx: PlanContext): Cell {
  const { program } = ctx;
  const source = program.cell('nullDevice');
  const statx = program.cell('nullStatx', 256);
  const genuine = program.label('genuine');
  program.within('linux.maskedPaths', () => {
    program.call('openat', [AT.FDCWD, '/dev/null', O.PATH | O.NOFOLLOW | O.CLOEXEC], { store: source });
    program.call('statx', [valueIn(source), '', AT.EMPTY_PATH, STATX.TYPE, addressOf(statx)]);
    // stx_rdev_major and stx_rdev_minor are the u32s at 128 and 132: character device 1:3
    program.jumpIf(valueIn(statx, 128), '==', 1 + 3 * 2 ** 32, genuine);
    program.fail(null, 0, 19, '/dev/null of the host is not the null device');
    program.place(genuine);
  });
  return source;
}

export function planMaskedPaths(
  ctx: PlanContext,
  root: RootAccess,
  paths: readonly string[],
  source: Cell,
): void {
  const { program } = ctx;
  const target = program.cell('maskTarget');
  const tree = program.cell('maskTree');
  const attached = program.cell('emptyAttached');
  const empty = program.within('linux.maskedPaths', () => planEmptyFolder(ctx));
  paths.forEach((path, i) => {
    program.within(`linux.maskedPaths[${i}]`, () => {
      const next = program.label('next');
      const file = program.label('file');
      const copy = program.label('copy');
      const attach = program.label('attach');
      const done = program.label('done');
      root.open(path, target, { flags: O.PATH | O.DIRECTORY, missing: file });
      // A mount that is attached nowhere can't be copied before Linux 6.15: the first folder gets the tmpfs itself.
      program.jumpIf(valueIn(attached), '!=', 0, copy);
      program.set(attached, 1);
      program.call('move_mount', [valueIn(empty), '', valueIn(target), '', ATTACH]);
      program.jump(done);
      program.place(copy);
      program.call('open_tree', [valueIn(empty), '', AT.EMPTY_PATH | cloneTree(false)], { store: tree });
      program.jump(attach);
      program.place(file);
      root.open(path, target, { missing: next });
      program.call('open_tree', [valueIn(source), '', AT.EMPTY_PATH | cloneTree(false)], { store: tree });
      program.place(attach);
      program.call('move_mount', [valueIn(tree), '', valueIn(target), '', ATTACH]);
      program.call('close', [valueIn(tree)]);
      program.place(done);
      program.call('close', [valueIn(target)]);
      program.place(next);
    });
  });
  program.call('close', [valueIn(empty)]);
}

/** The tmpfs that all masked folders share. */
function planEmptyFolder(ctx: PlanContext): Cell {
  const { program } = ctx;
  const context = program.cell('tmpfsContext');
  const empty = program.cell('emptyFolder');
  program.call('fsopen', ['tmpfs', FSOPEN.CLOEXEC], { store: context });
  program.call('fsconfig', [valueIn(context), FSCONFIG.SET_STRING, 'nr_blocks', '1', 0]);
  program.call('fsconfig', [valueIn(context), FSCONFIG.SET_STRING, 'nr_inodes', '1', 0]);
  program.call('fsconfig', [valueIn(context), FSCONFIG.CMD_CREATE, null, null, 0]);
  program.call('fsmount', [valueIn(context), FSMOUNT.CLOEXEC, SEALED], { store: empty });
  program.call('close', [valueIn(context)]);
  return empty;
}
