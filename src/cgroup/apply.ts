/**
 * Writes limits into a container's cgroup.
 *
 * @module
 */

import { errnoText } from '../cli/present.ts';
import { errnoOf, RuntsError } from '../errors.ts';
import { readControl, readWords, writeControl } from './control.ts';
import { controllerOf, type Write } from './write.ts';

/** Where a cgroup is; CgroupState has it. */
export interface CgroupPlace {
  /** Of the v2 hierarchy. */
  mountpoint: string;
  /** Below it, with a leading slash. */
  path: string;
}

/**
 * Makes the writes, in order.
 *
 * @throws RuntsError E_CGROUP for the first that fails; those before it are in force
 */
export function applyWrites(place: CgroupPlace, writes: readonly Write[]): void {
  for (const write of writes) applyWrite(place, write);
}

/** One write. @throws RuntsError E_CGROUP */
export function applyWrite(place: CgroupPlace, write: Write): void {
  const directory = place.mountpoint + place.path;
  try {
    writeControl(`${directory}/${write.file}`, write.value);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== undefined && write.tolerate?.includes(errno)) return;
    if (errno !== 'ENOENT' || write.otherwise === undefined) throw failure(place, write, error);
    applyWrite(place, { ...write.otherwise, field: write.field });
  }
}

function failure(place: CgroupPlace, write: Write, error: unknown): RuntsError {
  const path = `${place.mountpoint}${place.path}/${write.file}`;
  const errno = errnoOf(error);
  const controller = controllerOf(write.file);
  const lacks = errno === 'ENOENT' || errno === 'EACCES' || errno === 'EPERM';
  if (lacks && controller !== 'cgroup') {
    const missing = controllerMissing(place, controller, write.field);
    if (missing !== undefined) return missing;
  }
  const usage = write.file === 'memory.max' && errno === 'EBUSY' ? memoryUsage(place) : undefined;
  const what =
    usage === undefined
      ? `cannot write ${JSON.stringify(write.value)} to ${path}`
      : `unable to set memory limit to ${write.value} (${usage})`;
  return new RuntsError('E_CGROUP', `${write.field}: ${what}: ${errnoText(error)}`, {
    field: write.field,
    syscall: errno === 'ENOENT' || errno === 'EACCES' ? 'open' : 'write',
    errno,
    hint: HINTS[`${controller} ${errno}`] ?? HINTS[errno ?? ''],
    cause: error,
  });
}

/** Why the cgroup has no files of a controller; undefined when it should have them. */
function controllerMissing(place: CgroupPlace, controller: string, field: string): RuntsError | undefined {
  if (readWords(`${place.mountpoint}${place.path}/cgroup.controllers`).includes(controller)) return undefined;
  const text = `${field}: controller ${controller} is not available in cgroup ${place.mountpoint}${place.path}`;
  return new RuntsError('E_CGROUP', text, {
    field,
    errno: 'ENOENT',
    hint: whyMissing(place, controller),
  });
}

function whyMissing({ mountpoint, path }: CgroupPlace, controller: string): string {
  if (readWords(`${mountpoint}/cgroup.controllers`).includes(controller)) {
    let level = mountpoint;
    for (const name of path.split('/').filter((part) => part !== '')) {
      if (!readWords(`${level}/cgroup.subtree_control`).includes(controller)) break;
      level += `/${name}`;
    }
    return `it is not enabled in ${level}/cgroup.subtree_control`;
  }
  // Its hierarchy number is not 0: a v1 hierarchy has it; proc_cgroups(5).
  const line = new RegExp(`^${controller === 'io' ? 'blkio' : controller}\t(\\d+)\t`, 'm').exec(
    readControl('/proc/cgroups') ?? '',
  );
  if (line !== null && line[1] !== '0') {
    return 'a cgroup v1 hierarchy has it on this host, and runts uses v2 alone: boot with systemd.unified_cgroup_hierarchy=1, or without systemd cgroup_no_v1=all';
  }
  return `${mountpoint}/cgroup.controllers lacks it: the kernel was built or booted without it, or the cgroup namespace is not given it`;
}

/** `current usage: Y, peak usage: Z`, in bytes. */
export function memoryUsage({ mountpoint, path }: CgroupPlace): string {
  const read = (file: string): string => readControl(`${mountpoint}${path}/${file}`) ?? 'unknown';
  return `current usage: ${read('memory.current')}, peak usage: ${read('memory.peak')}`;
}

/** By controller and errno, then by errno. */
const HINTS: Readonly<Record<string, string>> = {
  'cpuset EINVAL': 'a list such as 0-3,7 of processors or memory nodes that the host has',
  'cpu EINVAL':
    'a period is 1000 to 1000000 microseconds, a quota at least 1000, a burst at most the quota; a parent may be limited further',
  'io ENODEV': 'no block device has this number; partitions have no limits of their own, only whole devices',
  'io EOPNOTSUPP': 'the device has no scheduler or cost model that knows weights',
  'rdma EINVAL': 'no RDMA device has this name',
  'rdma ENODEV': 'no RDMA device has this name',
  'hugetlb ENOENT': 'the processor or kernel does not have huge pages of this size',
  ENOENT: 'this kernel does not have the file: too old for it, or built without it',
  EINVAL: 'the kernel refuses this value',
  ERANGE: 'the value is out of the range that the kernel allows',
  EBUSY: 'the cgroup uses more than that, or a cgroup below it needs more',
  EACCES:
    'the cgroup is not writable for this user: run as root, or in a cgroup that was delegated to the user',
  EPERM:
    'the cgroup is not writable for this user: run as root, or in a cgroup that was delegated to the user',
  EROFS: 'the cgroup file system is mounted read-only here',
  ENODEV: 'the cgroup was removed by somebody else',
};
