/**
 * Death for lack of memory, told as such: the kernel kills a process and says so only in the cgroup's counters.
 *
 * @module
 */

import { RuntsError } from '../errors.ts';
import { type CgroupPlace, memoryUsage } from './apply.ts';
import { readControl } from './control.ts';

/** How many processes of the cgroup were killed for lack of memory; cgroup-v2.rst, memory.events. */
export function oomKills({ mountpoint, path }: CgroupPlace): number {
  const events = readControl(`${mountpoint}${path}/memory.events`) ?? '';
  return Number(/^oom_kill (\d+)$/m.exec(events)?.[1] ?? 0);
}

/** The error for a container whose init did not survive its own limit, if that is what happened. */
export function oomFailure(place: CgroupPlace): RuntsError | undefined {
  if (oomKills(place) === 0) return undefined;
  const limit = readControl(`${place.mountpoint}${place.path}/memory.max`) ?? 'unknown';
  const field = 'linux.resources.memory.limit';
  return new RuntsError('E_CGROUP', 'container init was OOM-killed (memory limit too low?)', {
    field,
    hint: `${field}: unable to set memory limit to ${limit} (${memoryUsage(place)})`,
  });
}
