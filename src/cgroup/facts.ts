/**
 * Where the cgroup v2 hierarchy is, and where in it this process is.
 *
 * @module
 */

import { readFileSync, statfsSync } from '#files';
import { RuntsError } from '../errors.ts';
import { processCgroup } from '../linux/procfs.ts';

/** `f_type` of a cgroup v2 file system; CGROUP2_SUPER_MAGIC in statfs(2). */
const CGROUP2_SUPER_MAGIC = 0x63677270;

/** The places by convention: everywhere with pure v2; beside v1 where systemd set up the hybrid layout. */
const USUAL_MOUNTPOINTS = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'] as const;

export interface CgroupFacts {
  /** Where the v2 hierarchy is mounted. */
  mountpoint: string;
  /** This process's own cgroup, relative to the mount point (its cgroup namespace's root), with a leading slash. */
  own: string;
}

function isCgroup2(path: string): boolean {
  try {
    return statfsSync(path).type === CGROUP2_SUPER_MAGIC;
  } catch {
    return false;
  }
}

/**
 * The first mount of type cgroup2 in the text of /proc/self/mountinfo; proc_pid_mountinfo(5). Octal escapes (`\040`)
 * are undone.
 */
export function cgroup2InMountinfo(text: string): string | undefined {
  for (const line of text.split('\n')) {
    const separator = line.indexOf(' - ');
    if (separator < 0 || !line.startsWith('cgroup2 ', separator + 3)) continue;
    const mountpoint = line.split(' ')[4];
    return mountpoint?.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
  }
  return undefined;
}

/**
 * Finds the mount of the v2 hierarchy: two statfs calls at the usual places, and only then mountinfo, which can be
 * thousands of lines long on a host with many containers.
 *
 * @throws RuntsError E_CGROUP when it isn't mounted
 */
export function cgroupMountpoint(usual: readonly string[] = USUAL_MOUNTPOINTS): string {
  const found = usual.find(isCgroup2);
  if (found !== undefined) return found;
  const mountpoint = cgroup2InMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'));
  if (mountpoint !== undefined) return mountpoint;
  throw new RuntsError('E_CGROUP', 'no cgroup v2 hierarchy is mounted', {
    hint: 'mount one with: mount -t cgroup2 none /sys/fs/cgroup; or run without cgroups: --cgroup-manager disabled',
  });
}

/**
 * @throws RuntsError E_CGROUP when there is no v2 hierarchy, or this process is outside of what it can see of it
 */
export function cgroupFacts(): CgroupFacts {
  const own = processCgroup('self');
  if (own === undefined) {
    throw new RuntsError('E_CGROUP', '/proc/self/cgroup has no line of cgroup v2 (0::)', {
      hint: 'the kernel needs cgroup v2, and /proc must be mounted',
    });
  }
  return { mountpoint: cgroupMountpoint(), own };
}
