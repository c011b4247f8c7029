/**
 * What a change of limits makes of the limits in force. Pure.
 *
 * @module
 */

import { mergeResources } from '../cgroup/update.ts';
import type { LinuxResources } from '../spec/types.ts';

/** Where 0 (or an empty text) means "not set": Go callers write every field of their structures. */
const UNSET: Readonly<Record<string, readonly string[]>> = {
  memory: ['limit', 'reservation', 'swap', 'kernel', 'kernelTCP'],
  cpu: ['shares', 'quota', 'period', 'realtimeRuntime', 'realtimePeriod', 'cpus', 'mems'],
  blockIO: ['weight', 'leafWeight'],
};

/** A change without what says nothing; without devices, which `update` leaves as they are. */
export function meaningful(change: LinuxResources): LinuxResources {
  const result: Record<string, unknown> = {};
  for (const [controller, values] of Object.entries(change)) {
    if (controller === 'devices') continue;
    if (Array.isArray(values)) {
      if (values.length > 0) result[controller] = values;
      continue;
    }
    const entries = Object.entries(values as object).filter(
      ([name, value]) => !(UNSET[controller]?.includes(name) && (value === 0 || value === '')),
    );
    if (entries.length > 0) result[controller] = Object.fromEntries(entries);
  }
  return result as LinuxResources;
}

/**
 * The limits after a change. Lists with an entry for each device or page size are merged by entry. The config's swap
 * is memory and swap together, so a new memory limit alone moves it: the swap itself stays what it was.
 *
 * @param change from {@link meaningful}
 */
export function changedResources(before: LinuxResources, change: LinuxResources): LinuxResources {
  const after = mergeResources(before, change);
  const { limit: oldLimit = 0, swap: oldSwap = 0 } = before.memory ?? {};
  const { limit, swap } = change.memory ?? {};
  if (limit !== undefined && swap === undefined && oldSwap > 0) {
    after.memory = { ...after.memory, swap: limit < 0 ? -1 : limit + Math.max(0, oldSwap - oldLimit) };
  }
  if (change.hugepageLimits !== undefined) {
    after.hugepageLimits = byKey(before.hugepageLimits, change.hugepageLimits, (item) => item.pageSize);
  }
  const number = ({ major, minor }: { major: number; minor: number }): string => `${major}:${minor}`;
  const [old, io] = [before.blockIO ?? {}, change.blockIO ?? {}];
  for (const name of THROTTLES) {
    if (io[name] !== undefined) after.blockIO![name] = byKey(old[name], io[name], number);
  }
  if (io.weightDevice !== undefined) {
    after.blockIO!.weightDevice = byKey(old.weightDevice, io.weightDevice, number);
  }
  return after;
}

const THROTTLES = [
  'throttleReadBpsDevice',
  'throttleWriteBpsDevice',
  'throttleReadIOPSDevice',
  'throttleWriteIOPSDevice',
] as const;

function byKey<Item>(
  old: readonly Item[] | undefined,
  changed: readonly Item[],
  key: (item: Item) => string,
): Item[] {
  const items = new Map((old ?? []).map((item) => [key(item), item]));
  for (const item of changed) items.set(key(item), item);
  return [...items.values()];
}
