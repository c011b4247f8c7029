/**
 * Mounts of a file system: everything that is no bind mount.
 *
 * mount(2) onto the target's descriptor, by way of fchdir(2) and `.`: one call instead of a fsopen(2) and a fsconfig(2)
 * for every option, and as race-free. Where more is to be done with the new mount it is made detached (fsmount(2)), so
 * that it need not be found by a path again.
 *
 * @module
 */

import { AT, FSCONFIG, FSMOUNT, FSOPEN, MOUNT_ATTR, MS, O } from '../../ffi/constants/index.ts';
import type { Cell, ProgramBuilder } from '../../ffi/program.ts';
import { valueIn } from '../../ffi/program.ts';
import { utf8Length } from '../../ffi/text.ts';
import { RuntsError } from '../errors.ts';
import type { LinuxIDMapping } from '../spec/types.ts';
import { type ParsedMount, planPropagation } from './bind.ts';
import { planCopyUp, planNoCopy } from './copy-up.ts';
import { isMapped } from './idmap.ts';
import { contextOption } from './labels.ts';
import { attributesOf, oldFlags, planAttach, planMountChange } from './mount-attributes.ts';
import { joinOptions, separateOptions } from './mount-data.ts';
import type { DataOption, MountOptions } from './mount-options.ts';
import type { RootAccess } from './root.ts';
import { cloneTree } from './root.ts';
import type { PlanContext } from './types.ts';

/** What mount(2) takes of options: a page, with a NUL. */
const MOUNT_DATA_MAX = 4095;

/** Where the host has these already, which serve in a user namespace that may not mount them. */
const HOST_PLACES: Readonly<Record<string, string>> = {
  proc: '/proc',
  sysfs: '/sys',
  mqueue: '/dev/mqueue',
};

/** What the mounts of a container depend on. */
export interface MountSurroundings {
  root: RootAccess;
  /** Opens the target, into `root.target`. */
  openTarget: () => void;
  /** The destination is /dev. */
  isDev: boolean;
  /** Some mount of the container is shared, so that a new one can be. Otherwise it is private, or to be unbindable. */
  mayBeShared: boolean;
  /** The container has a pid namespace of its own, newly made. */
  newPidNamespace: boolean;
  newCgroupNamespace: boolean;
  /** Of a user namespace that is made. */
  gidMappings: readonly LinuxIDMapping[];
  /** Has something done when all mounts and devices are there. */
  atTheEnd: (action: () => void) => void;
}

/** The type as the kernel knows it. The v1 name means "the cgroups": on this hierarchy there is one kind. */
export function fileSystemType({ mount, field }: ParsedMount): string {
  if (mount.type === undefined || mount.type === '') {
    throw new RuntsError('E_CONFIG_INVALID', `${field}.type: needed for a mount that is no bind mount`, {
      field: `${field}.type`,
    });
  }
  return mount.type === 'cgroup' ? 'cgroup2' : mount.type;
}

/** @throws RuntsError E_CONFIG_INVALID */
export function checkFileSystem(parsed: ParsedMount): void {
  const { mount, options, field } = parsed;
  const type = fileSystemType(parsed);
  const refuse = (text: string): RuntsError =>
    new RuntsError('E_CONFIG_INVALID', `${field}.options: ${text}`, { field: `${field}.options` });
  if (isMapped(mount, options)) throw refuse('id-mapped mounts are only supported for bind mounts');
  if (options.copyUp && type !== 'tmpfs') throw refuse(`tmpcopyup is for a tmpfs, not for ${type}`);
}

/** One mount of a file system. */
export function planFileSystem(ctx: PlanContext, parsed: ParsedMount, around: MountSurroundings): void {
  const { program } = ctx;
  const { root } = around;
  const { mount, options } = parsed;
  const type = fileSystemType(parsed);
  let flags = oldFlags(newAttributes(options)) | options.flags;
  if (options.remount) {
    planRemount(ctx, parsed, around, flags);
    return;
  }
  const data = dataOf(ctx, type, options, around);
  const keepsMode = type === 'tmpfs' && !data.some(({ key }) => key === 'mode');
  // made read-only when everything inside of it is there
  const readonlyLater = (type === 'tmpfs' || around.isDev) && (flags & MS.RDONLY) !== 0;
  if (readonlyLater) flags &= ~MS.RDONLY;
  const file: NewMount = { source: mount.source || type, type, flags, data };

  if (keepsMode || options.copyUp) program.set(root.made, 0);
  around.openTarget();
  const isLong = utf8Length(joinOptions(data)) > MOUNT_DATA_MAX;
  if (!keepsMode && !options.copyUp && !readonlyLater && !isLong) {
    planMount(ctx, parsed, file, around);
    return;
  }
  planDetached(program, file, root.tree);
  if (keepsMode || options.copyUp) planLikeTarget(ctx, parsed, root, { keepsMode, data });
  planAttach(ctx, root.tree, root.target);
  planPropagation(ctx, root.tree, options);
  program.call('close', [valueIn(root.target)]);
  if (readonlyLater) planReadonlyLater(ctx, root, around);
  program.call('close', [valueIn(root.tree)]);
}

/** Attributes of a new mount, which is the whole of its tree: recursive ones come last, as for bind mounts. */
function newAttributes({ set, recursiveSet, recursiveClear }: MountOptions): number {
  return (set & ~recursiveClear) | recursiveSet;
}

/** Whether a mount looks at the folder that it covers, and whether that was there: a tmpfs, unless told otherwise. */
export function takesAfterTarget(type: string, { options }: ParsedMount): boolean {
  return type === 'tmpfs' && (options.copyUp || !options.data.some(({ key }) => key === 'mode'));
}

/** The options for the file system itself. */
function dataOf(
  ctx: PlanContext,
  type: string,
  options: MountOptions,
  around: MountSurroundings,
): readonly DataOption[] {
  if (type === 'cgroup2') return [];
  const { gidMappings } = around;
  let { data } = options;
  if (type === 'devpts' && ctx.userNamespace && gidMappings.length > 0) {
    // Every default config names the host's group of terminals. Where the container hasn't got it, root's must do.
    const has = (gid: number): boolean =>
      gidMappings.some((m) => gid >= m.containerID && gid < m.containerID + m.size);
    data = data.filter(({ key, value }) => key !== 'gid' || has(Number(value)));
  }
  const names = data.map(({ key }) => key);
  const [label] = contextOption(ctx.mountLabel, type, names, ctx.options.extensions?.mountContext);
  return label === undefined ? data : [...data, { key: label, value: null }];
}

interface NewMount {
  source: string;
  type: string;
  /** MS_*. */
  flags: number;
  data: readonly DataOption[];
}

/** mount(2) onto the target. */
function planMount(ctx: PlanContext, parsed: ParsedMount, file: NewMount, around: MountSurroundings): void {
  const { program } = ctx;
  const { root } = around;
  const place = hostPlace(ctx, file.type, around);
  const refused = program.label('refused');
  program.call('fchdir', [valueIn(root.target)]);
  program.call('mount', [file.source, '.', file.type, file.flags, joinOptions(file.data) || null], {
    ...(place === undefined ? {} : { tolerate: ['EPERM', 'EBUSY'], goto: refused }),
  });
  if (place !== undefined) {
    const done = program.label('done');
    program.jump(done);
    program.place(refused);
    planHostPlace(ctx, parsed, place, root);
    program.place(done);
  }
  program.call('close', [valueIn(root.target)]);
  const { propagation } = parsed.options;
  if (
    propagation.length > 0 &&
    (around.mayBeShared || propagation.some(({ flag }) => flag === MS.UNBINDABLE))
  ) {
    root.open(parsed.mount.destination, root.tree);
    planPropagation(ctx, root.tree, parsed.options);
    program.call('close', [valueIn(root.tree)]);
  }
}

/** Super block flags by the name that fsconfig(2) has for them. */
const SUPER_FLAGS: readonly (readonly [flag: number, name: string])[] = [
  [MS.RDONLY, 'ro'],
  [MS.SYNCHRONOUS, 'sync'],
  [MS.DIRSYNC, 'dirsync'],
  [MS.MANDLOCK, 'mand'],
  [MS.LAZYTIME, 'lazytime'],
];

/** A mount that is attached nowhere: fsopen(2), a fsconfig(2) for every option, fsmount(2). */
function planDetached(program: ProgramBuilder, { source, type, flags, data }: NewMount, into: Cell): void {
  const context = program.cell('context');
  const set = (key: string, value: string | null): void =>
    program.call('fsconfig', [
      valueIn(context),
      value === null ? FSCONFIG.SET_FLAG : FSCONFIG.SET_STRING,
      key,
      value,
      0,
    ]);
  program.call('fsopen', [type, FSOPEN.CLOEXEC], { store: context });
  set('source', source);
  for (const [flag, name] of SUPER_FLAGS) if ((flags & flag) !== 0) set(name, null);
  for (const { key, value } of separateOptions(data)) set(key, value);
  program.call('fsconfig', [valueIn(context), FSCONFIG.CMD_CREATE, null, null, 0]);
  program.call('fsmount', [valueIn(context), FSMOUNT.CLOEXEC, attributesOf(flags)], { store: into });
  program.call('close', [valueIn(context)]);
}

/** Keeps a descriptor of the mount, and makes it read-only at the end. */
function planReadonlyLater(ctx: PlanContext, root: RootAccess, around: MountSurroundings): void {
  const { program } = ctx;
  const mount = program.cell('readonlyMount');
  program.call('openat', [valueIn(root.tree), '.', O.PATH | O.DIRECTORY | O.CLOEXEC], { store: mount });
  around.atTheEnd(() => {
    planMountChange(ctx, mount, { set: MOUNT_ATTR.RDONLY });
    program.call('close', [valueIn(mount)]);
  });
}

/** A tmpfs takes the mode, and with tmpcopyup also owner and content, of the folder that it covers, if there was one. */
function planLikeTarget(
  ctx: PlanContext,
  { options, field, mount }: ParsedMount,
  root: RootAccess,
  { keepsMode, data }: { keepsMode: boolean; data: readonly DataOption[] },
): void {
  const { program } = ctx;
  const top = program.cell('top');
  const plain = program.label('plain');
  program.jumpIf(valueIn(root.made), '!=', 0, plain);
  program.call('openat', [valueIn(root.tree), '.', O.RDONLY | O.DIRECTORY | O.CLOEXEC], { store: top });
  if (keepsMode) {
    const mode = program.cell('mode');
    root.modeOf(root.target, mode);
    program.call('fchmod', [valueIn(top), valueIn(mode)], { note: 'as the folder it covers' });
  }
  if (options.copyUp) {
    const owner = !data.some(({ key }) => key === 'uid' || key === 'gid');
    planCopyUp(ctx, { from: root.target, to: top, field, path: mount.destination, owner });
  }
  program.call('close', [valueIn(top)]);
  if (options.copyUp) planNoCopy(ctx, plain);
  else program.place(plain);
}

/** `remount`: other options for the file system that is mounted at the destination. */
function planRemount(ctx: PlanContext, parsed: ParsedMount, around: MountSurroundings, flags: number): void {
  const { program } = ctx;
  const { root } = around;
  around.openTarget();
  program.call('fchdir', [valueIn(root.target)]);
  program.call('mount', [null, '.', null, flags | MS.REMOUNT, joinOptions(parsed.options.data) || null]);
  planPropagation(ctx, root.target, parsed.options);
  program.call('close', [valueIn(root.target)]);
}

/** What of the host serves where the kernel refuses a mount. */
interface HostPlace {
  /** Null for an empty folder. */
  path: string | null;
  /** The container's alone, so that it may write there. */
  own: boolean;
}

/**
 * In a user namespace the kernel refuses what belongs to a namespace that isn't its own, or what the host itself shows
 * in part only.
 */
function hostPlace(ctx: PlanContext, type: string, around: MountSurroundings): HostPlace | undefined {
  const { facts, options } = ctx;
  if (type === 'cgroup2') {
    if (facts.cgroupMount === null) return { path: null, own: false };
    // What a cgroup namespace would show.
    if (around.newCgroupNamespace && options.cgroupPath !== null)
      return { path: `${facts.cgroupMount}${options.cgroupPath}`, own: true };
    return { path: facts.cgroupMount, own: false };
  }
  // The host's /proc would show the host's processes.
  if (!ctx.userNamespace || (type === 'proc' && around.newPidNamespace)) return undefined;
  const path = HOST_PLACES[type];
  return path === undefined ? undefined : { path, own: false };
}

function planHostPlace(
  ctx: PlanContext,
  { options }: ParsedMount,
  { path, own }: HostPlace,
  root: RootAccess,
): void {
  const { program } = ctx;
  if (path === null) planNothing(program, root.tree);
  else program.call('open_tree', [AT.FDCWD, path, cloneTree(true)], { store: root.tree });
  // The host's: to be seen, but not to be changed (CVE-2023-25809).
  const set = newAttributes(options) | (own ? 0 : MOUNT_ATTR.RDONLY);
  const clear = (set & MOUNT_ATTR._ATIME) === 0 ? 0 : MOUNT_ATTR._ATIME;
  planAttach(ctx, root.tree, root.target, [{ set, clear, recursive: true }]);
  program.call('close', [valueIn(root.tree)]);
}

/** An empty read-only folder. */
function planNothing(program: ProgramBuilder, into: Cell): void {
  const data = [
    { key: 'nr_blocks', value: '1' },
    { key: 'nr_inodes', value: '1' },
  ];
  const flags = MS.RDONLY | MS.NOSUID | MS.NODEV | MS.NOEXEC;
  planDetached(program, { source: 'tmpfs', type: 'tmpfs', flags, data }, into);
}
