/**
 * `mounts[]`: each mount as operations of the container's init, in the order of the config.
 *
 * A bind mount is a detached copy of its source (open_tree), attributes applied (mount_setattr), attached to the
 * target's descriptor (move_mount). Any other file system is mounted onto the target's descriptor by way of
 * fchdir(2) and `.`: one mount(2) instead of a fsopen(2) and a fsconfig(2) for every option, and as race-free.
 *
 * @module
 */

import { posix } from 'node:path';
import { AT, MOUNT_ATTR, MOVE_MOUNT, MS, O } from '../../ffi/constants/index.ts';
import type { Cell } from '../../ffi/program.ts';
import { valueIn, words } from '../../ffi/program.ts';
import { RuntsError } from '../errors.ts';
import type { Mount } from '../spec/types.ts';
import type { MountOptions } from './mount-options.ts';
import { parseMountOptions } from './mount-options.ts';
import type { RootAccess } from './root.ts';
import { cloneTree } from './root.ts';
import type { PlanContext } from './types.ts';

/** sizeof(struct mount_attr), mount_setattr(2). */
const MOUNT_ATTR_SIZE = 32;

/**
 * What may be mounted below /proc: files that lxcfs and the like replace. Anything else could make the runtime, or a
 * program in the container, believe a forged file of the kernel (CVE-2019-16884, CVE-2019-19921).
 */
const ALLOWED_IN_PROC: ReadonlySet<string> = new Set([
  '/proc/cpuinfo',
  '/proc/diskstats',
  '/proc/loadavg',
  '/proc/meminfo',
  '/proc/net/dev',
  '/proc/slabinfo',
  '/proc/stat',
  '/proc/swaps',
  '/proc/sys/crypto/fips_enabled',
  '/proc/sys/kernel/ns_last_pid',
  '/proc/uptime',
]);

/** Cells that every mount uses in turn. */
interface MountCells {
  tree: Cell;
  target: Cell;
  mode: Cell;
}

/** Appends all mounts; gives those to be made read-only at the end, when everything inside them exists. */
export function planMounts(ctx: PlanContext, root: RootAccess, mounts: readonly Mount[]): (() => void)[] {
  const { program } = ctx;
  const cells: MountCells = {
    tree: program.cell('tree'),
    target: program.cell('target'),
    mode: program.cell('mode'),
  };
  const atTheEnd: (() => void)[] = [];
  mounts.forEach((mount, i) => {
    const field = `mounts[${i}]`;
    const options = parseMountOptions(mount.options ?? []);
    program.within(field, () => {
      if (options.bind !== 'no' || mount.type === 'bind') {
        checkProcDestination(mount, field, false);
        planBind(ctx, root, mount, options, cells, field);
      } else {
        checkProcDestination(mount, field, mount.type === 'proc');
        const later = planFileSystem(ctx, root, mount, options, cells, field);
        if (later !== undefined) atTheEnd.push(() => program.within(field, later));
      }
    });
  });
  return atTheEnd;
}

/** True when the container's /dev is the host's (or an image's own): then no device is made in it. */
export function devIsBound(mounts: readonly Mount[]): boolean {
  return mounts.some(
    (m) =>
      posix.normalize(m.destination).replace(/\/$/, '') === '/dev' &&
      (m.type === 'bind' || (m.options ?? []).some((o) => o === 'bind' || o === 'rbind')),
  );
}

function checkProcDestination(mount: Mount, field: string, isProc: boolean): void {
  const destination = posix.normalize(`/${mount.destination}`).replace(/(.)\/+$/, '$1');
  if (destination === '/proc' && !isProc) {
    throw new RuntsError(
      'E_CONFIG_INVALID',
      `${field}.destination: only a proc file system can be mounted on /proc`,
      {
        field: `${field}.destination`,
        hint: 'give the mount the type "proc"',
      },
    );
  }
  if (destination.startsWith('/proc/') && !ALLOWED_IN_PROC.has(destination)) {
    throw new RuntsError(
      'E_CONFIG_INVALID',
      `${field}.destination: ${JSON.stringify(destination)} cannot be mounted because it is inside /proc`,
      { field: `${field}.destination`, hint: `allowed there: ${[...ALLOWED_IN_PROC].join(', ')}` },
    );
  }
}

function planBind(
  ctx: PlanContext,
  root: RootAccess,
  mount: Mount,
  options: MountOptions,
  cells: MountCells,
  field: string,
): void {
  const { program, options: plan } = ctx;
  if (options.data.length > 0) {
    const names = options.data.map((d) => JSON.stringify(d.key)).join(', ');
    throw new RuntsError(
      'E_CONFIG_INVALID',
      `${field}.options: bind mounts cannot have any filesystem-specific options applied: ${names}`,
      { field: `${field}.options` },
    );
  }
  if (mount.source === undefined || mount.source === '') {
    throw new RuntsError('E_CONFIG_INVALID', `${field}.source: a bind mount needs a source`, {
      field: `${field}.source`,
    });
  }
  const recursive = options.bind === 'rbind';
  const source = posix.resolve(plan.bundle, mount.source);
  program.call('open_tree', [AT.FDCWD, source, cloneTree(recursive)], {
    store: cells.tree,
    field: `${field}.source`,
  });
  planAttributes(ctx, cells.tree, options);
  const file = program.label('file');
  const attach = program.label('attach');
  root.unlessDirectory(cells.tree, file);
  root.ensureDirectory(mount.destination, cells.target);
  program.jump(attach);
  program.place(file);
  root.ensureFile(mount.destination, cells.target);
  program.place(attach);
  attachTree(ctx, cells);
  planPropagation(ctx, cells.tree, options);
  closeBoth(ctx, cells);
}

/** Attributes of a detached or attached mount. Atime and the like are fields of their own: see mount-options.ts. */
function planAttributes(ctx: PlanContext, tree: Cell, options: MountOptions): void {
  const apply = (set: number, clear: number, recursive: boolean): void => {
    if (set === 0 && clear === 0) return;
    ctx.program.call('mount_setattr', [
      valueIn(tree),
      '',
      AT.EMPTY_PATH | (recursive ? AT.RECURSIVE : 0),
      words('mount_attr', [set, clear, 0, 0]),
      MOUNT_ATTR_SIZE,
    ]);
  };
  apply(options.recursiveSet, options.recursiveClear, true);
  apply(options.set, options.clear, false);
}

function planPropagation(ctx: PlanContext, tree: Cell, options: MountOptions): void {
  for (const { flag, recursive } of options.propagation) {
    ctx.program.call('mount_setattr', [
      valueIn(tree),
      '',
      AT.EMPTY_PATH | (recursive ? AT.RECURSIVE : 0),
      words('mount_attr', [0, 0, flag, 0]),
      MOUNT_ATTR_SIZE,
    ]);
  }
}

function attachTree(ctx: PlanContext, cells: MountCells): void {
  ctx.program.call('move_mount', [
    valueIn(cells.tree),
    '',
    valueIn(cells.target),
    '',
    MOVE_MOUNT.F_EMPTY_PATH | MOVE_MOUNT.T_EMPTY_PATH,
  ]);
}

function closeBoth(ctx: PlanContext, cells: MountCells): void {
  // closed at once: 500 mounts must not need 500 descriptors
  ctx.program.call('close', [valueIn(cells.tree)]);
  ctx.program.call('close', [valueIn(cells.target)]);
}

/** The flags of mount(2) for per-mount attributes. */
function mountFlags(options: MountOptions): number {
  const set = options.set | options.recursiveSet;
  let flags = 0;
  if (set & MOUNT_ATTR.RDONLY) flags |= MS.RDONLY;
  if (set & MOUNT_ATTR.NOSUID) flags |= MS.NOSUID;
  if (set & MOUNT_ATTR.NODEV) flags |= MS.NODEV;
  if (set & MOUNT_ATTR.NOEXEC) flags |= MS.NOEXEC;
  if (set & MOUNT_ATTR.NODIRATIME) flags |= MS.NODIRATIME;
  if (set & MOUNT_ATTR.NOSYMFOLLOW) flags |= MS.NOSYMFOLLOW;
  const atime = set & MOUNT_ATTR._ATIME;
  if (atime === MOUNT_ATTR.NOATIME) flags |= MS.NOATIME;
  else if (atime === MOUNT_ATTR.STRICTATIME) flags |= MS.STRICTATIME;
  for (const name of options.superblock) flags |= SUPERBLOCK_FLAGS[name] ?? 0;
  return flags;
}

const SUPERBLOCK_FLAGS: Record<string, number> = {
  sync: MS.SYNCHRONOUS,
  dirsync: MS.DIRSYNC,
  mand: MS.MANDLOCK,
  lazytime: MS.LAZYTIME,
};

/** Gives what remains to be done once everything below the mount exists, if anything. */
function planFileSystem(
  ctx: PlanContext,
  root: RootAccess,
  mount: Mount,
  options: MountOptions,
  cells: MountCells,
  field: string,
): (() => void) | undefined {
  const { program } = ctx;
  if (mount.type === undefined || mount.type === '') {
    throw new RuntsError('E_CONFIG_INVALID', `${field}.type: needed for a mount that is no bind mount`, {
      field: `${field}.type`,
    });
  }
  // The v1 name means "the cgroups": on this hierarchy there is one kind.
  const type = mount.type === 'cgroup' ? 'cgroup2' : mount.type;
  const isTmpfs = type === 'tmpfs';
  let flags = mountFlags(options);
  // The kernel's own file systems are mounted on ordinary folders only: a symlink of the image could move them aside.
  const noSymlinks = type === 'proc' || type === 'sysfs';

  const readonlyLater = (isTmpfs || mount.destination === '/dev') && (flags & MS.RDONLY) !== 0;
  if (readonlyLater) flags &= ~MS.RDONLY;

  const keepMode = isTmpfs && !options.data.some((d) => d.key === 'mode');
  if (keepMode) planTargetWithMode(ctx, root, mount, cells);
  else root.ensureDirectory(mount.destination, cells.target, { noSymlinks });

  program.call('fchdir', [valueIn(cells.target)]);
  const data =
    type === 'cgroup2'
      ? ''
      : options.data.map((d) => (d.value === null ? d.key : `${d.key}=${d.value}`)).join(',');
  const source = mount.source === undefined || mount.source === '' ? type : mount.source;
  if (type === 'cgroup2') planCgroupMount(ctx, source, flags, cells);
  else program.call('mount', [source, '.', type, flags, data === '' ? null : data]);
  program.call('close', [valueIn(cells.target)]);

  if (keepMode || options.propagation.length > 0) {
    root.open(mount.destination, cells.tree, { flags: keepMode ? O.DIRECTORY : O.PATH });
    if (keepMode)
      program.call('fchmod', [valueIn(cells.tree), valueIn(cells.mode)], { note: 'as the folder it covers' });
    planPropagation(ctx, cells.tree, options);
    program.call('close', [valueIn(cells.tree)]);
  }
  if (!readonlyLater) return undefined;
  return () => {
    root.open(mount.destination, cells.tree);
    planAttributes(ctx, cells.tree, {
      ...options,
      set: MOUNT_ATTR.RDONLY,
      clear: 0,
      recursiveSet: 0,
      recursiveClear: 0,
    });
    program.call('close', [valueIn(cells.tree)]);
  };
}

/** A tmpfs takes the mode of the folder that it covers; 1777 where there was none. */
function planTargetWithMode(ctx: PlanContext, root: RootAccess, mount: Mount, cells: MountCells): void {
  const { program } = ctx;
  const missing = program.label('missing');
  const ready = program.label('ready');
  root.open(mount.destination, cells.target, { missing });
  root.modeOf(cells.target, cells.mode);
  program.jump(ready);
  program.place(missing);
  program.set(cells.mode, 0o1777);
  root.ensureDirectory(mount.destination, cells.target);
  program.place(ready);
}

/** In a user namespace that does not own the hierarchy the kernel refuses a new mount of it; the host's then serves. */
function planCgroupMount(ctx: PlanContext, source: string, flags: number, cells: MountCells): void {
  const { program, facts } = ctx;
  if (facts.cgroupMount === null) {
    program.call('mount', [source, '.', 'cgroup2', flags, null]);
    return;
  }
  const refused = program.label('refused');
  const done = program.label('done');
  program.call('mount', [source, '.', 'cgroup2', flags, null], {
    tolerate: ['EPERM', 'EBUSY'],
    goto: refused,
  });
  program.jump(done);
  program.place(refused);
  program.call('open_tree', [AT.FDCWD, facts.cgroupMount, cloneTree(true)], { store: cells.tree });
  program.call('mount_setattr', [
    valueIn(cells.tree),
    '',
    AT.EMPTY_PATH | AT.RECURSIVE,
    words('mount_attr', [MOUNT_ATTR.RDONLY, 0, 0, 0]),
    MOUNT_ATTR_SIZE,
  ]);
  attachTree(ctx, cells);
  program.call('close', [valueIn(cells.tree)]);
  program.place(done);
}
