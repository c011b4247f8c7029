/**
 * `mounts[]`: each mount as operations of the container's init, in the order of the config.
 *
 * @module
 */

import { MS, O } from '../../ffi/constants/index.ts';
import { type Cell, valueIn } from '../../ffi/program.ts';
import { RuntsError } from '../errors.ts';
import type { Mount, Spec } from '../spec/types.ts';
import type { ParsedMount, Sources } from './bind.ts';
import { checkBind, isBind, planBind, planFewDescriptors, planSources } from './bind.ts';
import { checkFileSystem, fileSystemType, planFileSystem, takesAfterTarget } from './file-systems.ts';
import { MountMappings } from './idmap.ts';
import { hasMountSetattr } from './mount-attributes.ts';
import { parseMountOptions } from './mount-options.ts';
import { isNewNamespace } from './namespaces.ts';
import { relativeToRoot } from './opened.ts';
import type { RootAccess } from './root.ts';
import { isShared, planReopenRoot } from './rootfs.ts';
import { checkSymlinkOptions, copiedSymlink, planSymlink } from './symlinks.ts';
import type { PlanContext } from './types.ts';

/**
 * What may be mounted below /proc: files that lxcfs and the like replace. Anything else could make the runtime, or a
 * program in the container, believe a forged file of the kernel (CVE-2019-16884, CVE-2019-19921).
 */
const ALLOWED_IN_PROC: ReadonlySet<string> = new Set([
  'proc/cpuinfo',
  'proc/diskstats',
  'proc/loadavg',
  'proc/meminfo',
  'proc/net/dev',
  'proc/slabinfo',
  'proc/stat',
  'proc/swaps',
  'proc/sys/crypto/fips_enabled',
  'proc/sys/kernel/ns_last_pid',
  'proc/uptime',
]);

/** The mounts of a container, checked. */
export interface MountPlan {
  mounts: readonly ParsedMount[];
  mappings: MountMappings;
  sources: Sources;
}

/**
 * Checks all mounts, and appends what has to be done for them before the container's namespaces are entered.
 *
 * @throws RuntsError E_CONFIG_INVALID, E_UNSUPPORTED
 */
export function planMountSources(ctx: PlanContext, spec: Spec): MountPlan {
  const mounts = parseMounts(ctx, spec.mounts ?? []);
  const mappings = new MountMappings(ctx, spec);
  mappings.planOpen(mounts);
  // Without rights over the host's mounts, or with those of another namespace, init opens them itself.
  const early =
    ctx.userNamespace &&
    ctx.facts.euid === 0 &&
    hasMountSetattr(ctx) &&
    isNewNamespace(spec.linux?.namespaces ?? [], 'mount');
  const sources: Sources = early
    ? planSources(
        ctx,
        mounts.filter((m) => isBind(m) && copiedSymlink(ctx, m) === undefined),
        mappings,
        spec.linux?.rootfsPropagation,
      )
    : new Map();
  return { mounts, mappings, sources };
}

/** @throws RuntsError E_CONFIG_INVALID */
export function parseMounts(ctx: PlanContext, mounts: readonly Mount[]): ParsedMount[] {
  return mounts.map((mount, i) => parse(ctx, mount, `mounts[${i}]`));
}

function parse(ctx: PlanContext, mount: Mount, field: string): ParsedMount {
  const parsed = { mount, options: parseMountOptions(mount.options ?? []), field };
  const bind = isBind(parsed);
  checkSymlinkOptions(parsed);
  if (!mount.destination.startsWith('/')) {
    ctx.warnings.push(
      `${field}.destination: ${JSON.stringify(mount.destination)} is relative, which is deprecated: taken from "/"`,
    );
  }
  // Of a bind mount only its source, once it is open, says what it is.
  checkProcDestination(mount, field, bind || mount.type === 'proc');
  if (bind) checkBind(parsed, ctx.warnings);
  else checkFileSystem(parsed);
  return parsed;
}

function checkProcDestination(mount: Mount, field: string, isProc: boolean): void {
  const destination = relativeToRoot(mount.destination);
  if (destination === 'proc' && !isProc) {
    throw new RuntsError(
      'E_CONFIG_INVALID',
      `${field}.destination: only a proc file system can be mounted on /proc`,
      {
        field: `${field}.destination`,
        hint: 'give the mount the type "proc"',
      },
    );
  }
  if (destination.startsWith('proc/') && !ALLOWED_IN_PROC.has(destination)) {
    throw new RuntsError(
      'E_CONFIG_INVALID',
      `${field}.destination: ${JSON.stringify(`/${destination}`)} cannot be mounted because it is inside /proc`,
      {
        field: `${field}.destination`,
        hint: `allowed there: ${[...ALLOWED_IN_PROC].map((name) => `/${name}`).join(', ')}`,
      },
    );
  }
}

/** True when the container's /dev is the host's (or an image's own): then no device is made in it. */
export function devIsBound(mounts: readonly Mount[]): boolean {
  return mounts.some(
    (m) =>
      relativeToRoot(m.destination) === 'dev' &&
      (m.type === 'bind' || (m.options ?? []).some((o) => o === 'bind' || o === 'rbind')),
  );
}

/** What is known of the container's files by the mounts so far. */
interface Known {
  /** Descriptor of the tmpfs that is mounted on /dev, where nothing is that we haven't put there. */
  dev: Cell | undefined;
  /** Places with a procfs or sysfs: what is missing there can't be made. */
  kernel: string[];
}

export interface MountsDone {
  /** Descriptor of a /dev that is a new tmpfs. */
  dev: Cell | undefined;
  /** What is to be done when everything is there. */
  atTheEnd: readonly (() => void)[];
}

/** Appends all mounts. */
export function planMounts(ctx: PlanContext, root: RootAccess, spec: Spec, plan: MountPlan): MountsDone {
  const { program } = ctx;
  const namespaces = spec.linux?.namespaces ?? [];
  const known: Known = { dev: undefined, kernel: [] };
  const atTheEnd: (() => void)[] = [];
  const around = {
    root,
    mayBeShared:
      isShared(spec.linux?.rootfsPropagation) ||
      plan.mounts.some(({ options }) => options.propagation.some(({ flag }) => flag === MS.SHARED)),
    newPidNamespace: isNewNamespace(namespaces, 'pid'),
    newCgroupNamespace: isNewNamespace(namespaces, 'cgroup'),
    gidMappings: isNewNamespace(namespaces, 'user') ? (spec.linux?.gidMappings ?? []) : [],
  };
  for (const parsed of plan.mounts) {
    const { mount, field } = parsed;
    const path = relativeToRoot(mount.destination);
    const link = copiedSymlink(ctx, parsed);
    if (link !== undefined) {
      program.within(field, () => planSymlink(ctx, root, parsed, link));
      continue;
    }
    program.within(field, () => {
      const openTarget = (): void => planTarget(ctx, root, parsed, path, known);
      if (isBind(parsed)) {
        const { mappings, sources } = plan;
        planBind(ctx, parsed, { root, mappings, sources, openTarget, isProc: path === 'proc' });
      } else {
        planFileSystem(ctx, parsed, {
          ...around,
          openTarget,
          isDev: path === 'dev',
          atTheEnd: (action) => void atTheEnd.push(() => program.within(field, action)),
        });
      }
      remember(ctx, root, parsed, path, known);
    });
  }
  planFewDescriptors(ctx);
  return { dev: known.dev, atTheEnd };
}

/** Opens what a mount goes on, into `root.target`. */
function planTarget(
  ctx: PlanContext,
  root: RootAccess,
  parsed: ParsedMount,
  path: string,
  known: Known,
): void {
  const bind = isBind(parsed);
  if (path === 'proc') {
    root.openTopFolder(path, true);
    return;
  }
  if (!bind) {
    const type = fileSystemType(parsed);
    const isTop = !path.includes('/') && path !== '.';
    if (isTop && (type === 'proc' || type === 'sysfs' || path === 'dev')) {
      // The kernel's own file systems are mounted on ordinary folders: a symlink of the image could move them aside.
      root.openTopFolder(path, path !== 'dev');
      return;
    }
    const name = path.slice('dev/'.length);
    if (known.dev !== undefined && path.startsWith('dev/') && !name.includes('/')) {
      const { program } = ctx;
      const folder = [valueIn(known.dev), name, 0o755] as const;
      if (takesAfterTarget(type, parsed)) {
        const there = program.label('there');
        program.call('mkdirat', folder, { tolerate: ['EEXIST'], goto: there });
        program.set(root.made, 1);
        program.place(there);
      } else program.call('mkdirat', folder, { tolerate: ['EEXIST'] });
      root.openBelow(known.dev, name);
      return;
    }
  }
  if (path.startsWith('proc/')) root.open(path, root.target);
  else if (known.kernel.some((place) => path.startsWith(`${place}/`)))
    root.open(path, root.target, { noSymlinks: true });
  else if (parsed.options.destinationNoFollow)
    root.openTargetItself(parsed.mount.destination, 'like', parsed.field);
  else root.openTarget(parsed.mount.destination, bind ? 'like' : 'folder', parsed.field);
}

/** Notes what a mount changes for those after it. */
function remember(ctx: PlanContext, root: RootAccess, parsed: ParsedMount, path: string, known: Known): void {
  if (path === '.') {
    planReopenRoot(ctx, root);
    known.dev = undefined;
    known.kernel = [];
    return;
  }
  const type = isBind(parsed) ? 'bind' : fileSystemType(parsed);
  if (path === 'dev') {
    known.dev = undefined;
    if (type === 'tmpfs' && !parsed.options.copyUp && !parsed.options.remount) {
      known.dev = ctx.program.cell('dev');
      root.open(path, known.dev, { flags: O.PATH | O.DIRECTORY });
    }
  }
  if (type === 'proc' || type === 'sysfs' || path === 'proc') known.kernel.push(path);
}
