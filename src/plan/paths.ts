/**
 * `linux.maskedPaths` and `linux.readonlyPaths`.
 *
 * A masked file is covered with /dev/null, a masked folder with one empty read-only tmpfs that all share: a tmpfs each
 * costs a super block each. The cover for files is the host's /dev/null, opened before the container's root is entered
 * and checked by number, so that nothing in the image can stand in for it (CVE-2025-31133).
 *
 * @module
 */

import { ERRNO } from '../../ffi/constants/errno.ts';
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
import type { Cell, Label } from '../../ffi/program.ts';
import { addressOf, valueIn } from '../../ffi/program.ts';
import { planAttach } from './mount-attributes.ts';
import { how, OPEN_HOW_SIZE } from './opened.ts';
import type { RootAccess } from './root.ts';
import { cloneTree } from './root.ts';
import type { PlanContext } from './types.ts';

const ATTACH = MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH;
const SEALED = MOUNT_ATTR.RDONLY | MOUNT_ATTR.NOSUID | MOUNT_ATTR.NODEV | MOUNT_ATTR.NOEXEC;

/** Paths that don't exist are passed over. */
export function planReadonlyPaths(ctx: PlanContext, root: RootAccess, paths: readonly string[]): void {
  if (paths.length === 0) return;
  const { program } = ctx;
  const { tree, target } = root;
  program.within('linux.readonlyPaths', () =>
    root.forEachPath(paths, 'linux.readonlyPaths', (path, next, failed) => {
      planOpen(ctx, root, path, O.PATH, next);
      program.call('open_tree', [valueIn(target), '', AT.EMPTY_PATH | cloneTree(true)], {
        store: tree,
        tolerate: 'any',
        goto: failed,
      });
      planAttach(ctx, tree, target, [{ set: MOUNT_ATTR.RDONLY, recursive: true }]);
      program.call('close', [valueIn(tree)]);
      program.call('close', [valueIn(target)]);
    }),
  );
}

/** Opens a path into `root.target`; `missing` is where to go on without. */
function planOpen(ctx: PlanContext, root: RootAccess, path: Cell, flags: number, missing: Label): void {
  ctx.program.call('openat2', [valueIn(root.fd), valueIn(path), how(flags), OPEN_HOW_SIZE], {
    store: root.target,
    tolerate: ['ENOENT', 'ENOTDIR'],
    goto: missing,
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
    program.jumpIf(valueIn(statx, 128), '==', 0x3_0000_0001, genuine);
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
  const { tree, target } = root;
  const attached = program.cell('emptyAttached');
  program.within('linux.maskedPaths', () => {
    const empty = planEmptyFolder(ctx);
    root.forEachPath(paths, 'linux.maskedPaths', (path, next, failed) => {
      const [file, copy] = [program.label('file'), program.label('copy')];
      const [attach, done] = [program.label('attach'), program.label('done')];
      const failing = { tolerate: 'any', goto: failed } as const;
      planOpen(ctx, root, path, O.PATH | O.DIRECTORY, file);
      // A mount that is attached nowhere can't be copied before Linux 6.15: the first folder gets the tmpfs itself.
      program.jumpIf(valueIn(attached), '!=', 0, copy);
      program.set(attached, 1);
      program.call('move_mount', [valueIn(empty), '', valueIn(target), '', ATTACH], failing);
      program.jump(done);
      program.place(copy);
      program.call('open_tree', [valueIn(empty), '', AT.EMPTY_PATH | cloneTree(false)], {
        store: tree,
        ...failing,
      });
      program.jump(attach);
      program.place(file);
      // Most masked paths don't exist on any one kernel: they are not asked for twice.
      program.jumpIf(valueIn(target), '==', -ERRNO.ENOENT, next);
      planOpen(ctx, root, path, O.PATH, next);
      program.call('open_tree', [valueIn(source), '', AT.EMPTY_PATH | cloneTree(false)], {
        store: tree,
        ...failing,
      });
      program.place(attach);
      program.call('move_mount', [valueIn(tree), '', valueIn(target), '', ATTACH], failing);
      program.call('close', [valueIn(tree)]);
      program.place(done);
      program.call('close', [valueIn(target)]);
    });
    program.call('close', [valueIn(empty)]);
  });
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
