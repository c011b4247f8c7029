/**
 * What the planner must know of this host. The only place that looks.
 *
 * @module
 */

import { readFileSync, readlinkSync, realpathSync } from '#files';
import { ERRNO } from '../../ffi/constants/errno.ts';
import { CLOSE_RANGE } from '../../ffi/constants/file.ts';
import { trySyscall } from '../../ffi/local.ts';
import type { Machine } from '../../ffi/syscalls.ts';
import { RuntsError } from '../errors.ts';
import { resolve } from '../paths.ts';
import { asksForLabels } from '../plan/labels.ts';
import { copiedSources } from '../plan/symlinks.ts';
import type { HostFacts } from '../plan/types.ts';
import type { Mount, Spec } from '../spec/types.ts';
import { kernelMounts, mountOf } from './mountinfo.ts';
import { readRegularFile } from './regular-file.ts';
import { securityModules } from './security.ts';
import { missingTargets } from './targets.ts';

/** The machine whose code this process runs. */
export function machine(): Machine {
  if (process.arch === 'x64' || process.arch === 'arm64') return process.arch;
  throw new RuntsError('E_UNSUPPORTED', `there is no executor for the architecture ${process.arch}`);
}

/** What the caller knows and decides. */
export interface FactsInput {
  bundle: string;
  rootfs: string;
  /** Given because finding it may fail where it isn't needed. */
  cgroupMount: string | null;
  noPivot: boolean;
  /** Nothing native is called: the kernel is taken for a current one. */
  dryRun: boolean;
}

/** Collects the facts that a config needs. */
export function hostFacts(
  spec: Spec,
  { bundle, rootfs, cgroupMount, noPivot, dryRun }: FactsInput,
): HostFacts {
  const mountSetattr = dryRun || hasMountSetattr();
  return {
    machine: machine(),
    euid: process.geteuid?.() ?? 0,
    egid: process.getegid?.() ?? 0,
    lastCapability: lastCapability(),
    cgroupMount,
    security: asksForLabels(spec.process, spec.linux?.mountLabel) ? securityModules() : undefined,
    passwd: needsHome(spec) ? containerPasswd(spec, bundle, rootfs) : undefined,
    missingTargets: missingTargets(rootfs, [
      ...(spec.mounts ?? []).map((m) => m.destination),
      spec.process?.cwd ?? '/',
    ]),
    links: linksAmong(copiedSources(spec.mounts ?? [], bundle)),
    rootfsMount: sharesRoot(spec) ? mountOf(rootfs) : undefined,
    kernelMounts: noPivot ? kernelMounts(rootfs) : undefined,
    setgroupsDenied: !hasUserNamespace(spec.linux?.namespaces) && setgroupsDenied(),
    mountSetattr,
    // A kernel with the one has the other, which is older.
    closeRange: mountSetattr || hasCloseRange(),
  };
}

/** What mounts of a container that is there need to know. */
export function runtimeFacts(mounts: readonly Mount[], bundle: string): HostFacts {
  return {
    machine: machine(),
    euid: process.geteuid?.() ?? 0,
    egid: process.getegid?.() ?? 0,
    lastCapability: lastCapability(),
    cgroupMount: null,
    links: linksAmong(copiedSources(mounts, bundle)),
    mountSetattr: hasMountSetattr(),
  };
}

/** Highest capability number of this kernel. */
export function lastCapability(): number {
  try {
    const text = readFileSync('/proc/sys/kernel/cap_last_cap', 'latin1');
    const number = Number.parseInt(text, 10);
    if (Number.isInteger(number) && number >= 0 && number < 64) return number;
  } catch {
    // no procfs: the last one that this program knows
  }
  return 40;
}

/** Whether these namespaces, of a config or a container, hold a user namespace. */
function hasUserNamespace(namespaces: readonly { type: string }[] = []): boolean {
  return namespaces.some(({ type }) => type === 'user');
}

/** Whether the runtime is in a user namespace in which setgroups(2) is denied; user_namespaces(7). */
export function setgroupsDenied(): boolean {
  try {
    return readFileSync('/proc/self/setgroups', 'latin1').startsWith('deny');
  } catch {
    return false;
  }
}

function needsHome(spec: Spec): boolean {
  return !(spec.process?.env ?? []).some((e) => e.startsWith('HOME=') && e.length > 'HOME='.length);
}

/**
 * The text of the /etc/passwd that the container will see: the file that is mounted there, or the image's. It only
 * decides the value of HOME; a file that leads out of the rootfs by symlinks is not read.
 */
function containerPasswd(spec: Spec, bundle: string, rootfs: string): string | undefined {
  const mounted = (spec.mounts ?? []).findLast((m: Mount) => m.destination === '/etc/passwd')?.source;
  try {
    if (mounted !== undefined) return readRegularFile(resolve(bundle, mounted));
    const path = realpathSync(`${rootfs}/etc/passwd`);
    return path.startsWith(`${realpathSync(rootfs)}/`) ? readRegularFile(path) : undefined;
  } catch {
    return undefined;
  }
}

/** Those paths that are symlinks, with what they say. */
function linksAmong(paths: readonly string[]): ReadonlyMap<string, string> {
  const links = new Map<string, string>();
  for (const path of paths) {
    try {
      links.set(path, readlinkSync(path));
    } catch {
      // no symlink, or nothing at all: the mount says so
    }
  }
  return links;
}

function sharesRoot(spec: Spec): boolean {
  return (spec.linux?.rootfsPropagation ?? '').endsWith('shared');
}

/** Linux 5.12. A seccomp filter around the runtime can make it fail otherwise than a kernel without it. */
function hasMountSetattr(): boolean {
  // size 0: refused before anything is looked at
  return trySyscall('mount_setattr', [-1, '', 0, null, 0]) === -ERRNO.EINVAL;
}

/** Whether close_range(2) can set close-on-exec: Linux 5.11. */
export function hasCloseRange(): boolean {
  const NONE = 0xffffffff;
  return trySyscall('close_range', [NONE, NONE, CLOSE_RANGE.CLOEXEC]) >= 0;
}
