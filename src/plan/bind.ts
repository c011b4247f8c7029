/**
 * Bind mounts: a detached copy of the source (open_tree), attributes applied (mount_setattr), attached to the target's
 * descriptor (move_mount).
 *
 * @module
 */

import { AT, ERRNO, FS_MAGIC, MOUNT_ATTR, MS, RLIMIT } from '../../ffi/constants/index.ts';
import { addressOf, type Cell, type Label, valueIn } from '../../ffi/program.ts';
import { RuntsError } from '../errors.ts';
import { resolve } from '../paths.ts';
import type { Linux, Mount } from '../spec/types.ts';
import { isMapped, type MountMappings } from './idmap.ts';
import type { MountChange } from './mount-attributes.ts';
import { hasMountSetattr, planAttach, planMountChange, requireMountSetattr } from './mount-attributes.ts';
import type { MountOptions } from './mount-options.ts';
import type { RootAccess } from './root.ts';
import { cloneTree } from './root.ts';
import { firstPropagation } from './rootfs.ts';
import type { PlanContext } from './types.ts';

/** sizeof(struct statfs), statfs(2). */
const STATFS_SIZE = 120;

/** A mount with what its options mean. */
export interface ParsedMount {
  mount: Mount;
  options: MountOptions;
  /** `mounts[3]`. */
  field: string;
}

export function isBind({ mount, options }: Pick<ParsedMount, 'mount' | 'options'>): boolean {
  return options.bind !== 'no' || mount.type === 'bind';
}

/**
 * Options of a file system do nothing on a bind mount. One with a value is left out with a warning, as no flag has one;
 * a word alone may be a flag in a wrong spelling, and the container less protected than its author thinks.
 *
 * @throws RuntsError E_CONFIG_INVALID
 */
export function checkBind({ mount, options, field }: ParsedMount, warnings: string[]): void {
  const refuse = (name: string, text: string, hint?: string): RuntsError =>
    new RuntsError('E_CONFIG_INVALID', `${field}.${name}: ${text}`, { field: `${field}.${name}`, hint });
  const names = (data: MountOptions['data']): string => data.map(({ key }) => JSON.stringify(key)).join(', ');
  const words = options.data.filter(({ value }) => value === null);
  if (words.length > 0) {
    throw refuse(
      'options',
      `bind mounts cannot have any filesystem-specific options applied: ${names(words)}`,
      'see that it is spelled rightly, or leave it out',
    );
  }
  if (options.data.length > 0) {
    warnings.push(
      `${field}.options: ignored, as a bind mount shows a file system as it is: ${names(options.data)}`,
    );
  }
  if (options.copyUp) throw refuse('options', 'tmpcopyup is for a tmpfs, not for a bind mount');
  if (options.remount) {
    throw refuse('options', 'a bind mount can’t be a remount', 'it gets its options at once: leave it out');
  }
  if (mount.source === undefined || mount.source === '')
    throw refuse('source', 'a bind mount needs a source');
}

/** Sources of bind mounts that are opened before the container's user namespace is entered, by mount. */
export type Sources = ReadonlyMap<Mount, Cell>;

/** How many sources may be open at a time without a thought about the limit of descriptors. */
const FEW = 200;

/**
 * Opens the sources with the rights of the runtime: root of a user namespace can't enter the private folders of the
 * host, nor map the ids of its file systems. Only root can do this; where it may not, init tries by itself.
 *
 * @param orInit - false: it must be done here, because the paths mean something else where init is
 */
export function planSources(
  ctx: PlanContext,
  binds: readonly ParsedMount[],
  mappings: MountMappings,
  propagation: Linux['rootfsPropagation'],
  orInit = true,
): Sources {
  const { program } = ctx;
  const sources = new Map<Mount, Cell>();
  if (binds.length > FEW) planManyDescriptors(ctx);
  for (const { mount, options, field } of binds) {
    const tree = program.cell('source');
    sources.set(mount, tree);
    program.within(field, () => {
      const denied = program.label('denied');
      // Without its mapping it would not be the mount that was asked for.
      const onlyHere = !orInit || isMapped(mount, options);
      planOpenSource(ctx, mount, options, tree, field, onlyHere ? undefined : denied);
      mappings.planMap(tree, mount, options, field);
      // As all the rest that the container begins with: a copy of a shared mount is shared with the host.
      const flags = firstPropagation(propagation);
      if ((flags & MS.SHARED) === 0)
        planMountChange(ctx, tree, { propagation: flags & ~MS.REC, recursive: true });
      program.place(denied);
    });
  }
  return sources;
}

/** The soft limit of open files as high as the hard one, until {@link planFewDescriptors}. */
function planManyDescriptors(ctx: PlanContext): void {
  const { program } = ctx;
  const limit = program.cell('descriptorLimit', 16);
  const raised = program.cell('raisedLimit', 16);
  ctx.descriptorLimit = limit;
  program.within('mounts', () => {
    program.call('prlimit64', [0, RLIMIT.NOFILE, null, addressOf(limit)]);
    program.set(raised, valueIn(limit, 8));
    program.set(raised, valueIn(limit, 8), '', 0, 8);
    program.call('prlimit64', [0, RLIMIT.NOFILE, addressOf(raised), null]);
  });
}

/** The limit as it was. */
export function planFewDescriptors(ctx: PlanContext): void {
  if (ctx.descriptorLimit === undefined) return;
  ctx.program.call('prlimit64', [0, RLIMIT.NOFILE, addressOf(ctx.descriptorLimit), null], {
    field: 'mounts',
  });
}

function planOpenSource(
  ctx: PlanContext,
  mount: Mount,
  options: MountOptions,
  into: Cell,
  field: string,
  denied?: Label,
): void {
  const source = resolve(ctx.options.bundle, mount.source ?? '');
  const flags = cloneTree(options.bind === 'rbind') | (options.sourceNoFollow ? AT.SYMLINK_NOFOLLOW : 0);
  ctx.program.call('open_tree', [AT.FDCWD, source, flags], {
    store: into,
    field: `${field}.source`,
    ...(denied === undefined ? {} : { tolerate: ['EPERM'], goto: denied }),
  });
}

export interface BindInput {
  root: RootAccess;
  mappings: MountMappings;
  sources: Sources;
  /** Opens the target, into `root.target`. */
  openTarget: () => void;
  /** The target is /proc. */
  isProc: boolean;
}

/** One bind mount. */
export function planBind(ctx: PlanContext, parsed: ParsedMount, input: BindInput): void {
  const { program } = ctx;
  const { mount, options, field } = parsed;
  const { tree, target } = input.root;
  const opened = input.sources.get(mount);
  if (opened === undefined) {
    planOpenSource(ctx, mount, options, tree, field);
    input.mappings.planMap(tree, mount, options, field);
  } else {
    const ready = program.label('ready');
    program.set(tree, valueIn(opened));
    program.jumpIf(valueIn(tree), '>=', 0, ready);
    planOpenSource(ctx, mount, options, tree, field);
    program.place(ready);
  }
  if (input.isProc) planProcSource(ctx, tree, field);
  input.openTarget();
  planAttach(ctx, tree, target, attributeChanges(ctx, parsed));
  planPropagation(ctx, tree, options);
  // closed at once: 500 mounts must not need 500 descriptors
  program.call('close', [valueIn(tree)]);
  program.call('close', [valueIn(target)]);
}

/** Refuses to mount on /proc what is no procfs: programs trust what they read there. */
function planProcSource({ program }: PlanContext, tree: Cell, field: string): void {
  const statfs = program.cell('statfs', STATFS_SIZE);
  const right = program.label('right');
  program.call('fstatfs', [valueIn(tree), addressOf(statfs)]);
  program.jumpIf(valueIn(statfs), '==', FS_MAGIC.PROC, right);
  const text = 'only a proc file system can be mounted on /proc';
  program.fail(null, 0, ERRNO.EINVAL, text, `${field}.destination`);
  program.place(right);
}

/** What is to be changed of a bind mount: nothing but what the options say, so that locked flags stay. */
function attributeChanges(ctx: PlanContext, { mount, options, field }: ParsedMount): MountChange[] {
  const { recursiveSet, recursiveClear, set, clear } = options;
  const changes: MountChange[] = [{ set, clear }];
  // Last, as with runc and crun: a tree that is to be read-only is, whatever the options say of its top.
  if (recursiveSet !== 0 || recursiveClear !== 0) {
    requireMountSetattr(ctx, `${field}.options`, 'an option for all mounts of a tree');
    changes.push({ set: recursiveSet, clear: recursiveClear, recursive: true });
  }
  if (hasMountSetattr(ctx) && holdsHostCgroups(ctx, mount, options))
    changes.push({ set: MOUNT_ATTR.RDONLY, recursive: true });
  return changes;
}

/**
 * A read-only copy of the host's /sys holds its cgroups, writable: a container in a user namespace could change the
 * limits of those that belong to its user (CVE-2023-25809).
 */
function holdsHostCgroups(ctx: PlanContext, mount: Mount, options: MountOptions): boolean {
  if (!ctx.userNamespace || options.bind !== 'rbind' || (options.set & MOUNT_ATTR.RDONLY) === 0) return false;
  return resolve(ctx.options.bundle, mount.source ?? '') === '/sys';
}

/** Propagation of a mount that is attached, in the order of the options. */
export function planPropagation(ctx: PlanContext, mount: Cell, options: MountOptions): void {
  for (const { flag, recursive } of options.propagation)
    planMountChange(ctx, mount, { propagation: flag, recursive });
}
