/**
 * Which mounts of a container aren't its own: CRIU saves of those only that they were there, and where they come from
 * is said again when the container is restored.
 *
 * @see https://criu.org/External_bind_mounts
 * @module
 */

import { isWithin, type MountLine } from '../linux/mountinfo.ts';
import { normalize, resolve } from '../paths.ts';
import type { Mount } from '../spec/types.ts';
import type { ExternalMount } from './messages.ts';

/** By which name the cover of masked files is known, here as with runc. */
const NULL_DEVICE = '/dev/null';

/** File systems that a namespace decides the content of: CRIU mounts them anew, also where the host has the same. */
const KERNEL_TYPES: ReadonlySet<string> = new Set(['proc', 'sysfs', 'cgroup', 'cgroup2', 'mqueue']);

/**
 * The mounts that come from the host, by mount point, with the name that each gets in the images: its mount point, or
 * `/dev/null` for what covers masked files.
 *
 * @param container - the container's mounts, as its own mountinfo has them
 * @param host - the host's
 */
export function externalMounts(container: readonly MountLine[], host: readonly MountLine[]): ExternalMount[] {
  let root: MountLine | undefined;
  for (const line of container) if (line.point === '/') root = line;
  const devices = new Set(host.map(({ device }) => device));
  const external = new Map<string, string>();
  for (const line of container) {
    if (line.point === '/' || !devices.has(line.device) || KERNEL_TYPES.has(line.type)) continue;
    if (root !== undefined && line.device === root.device && isWithin(line.root, root.root)) continue;
    external.set(line.point, /(^|\/)null$/.test(line.root) ? NULL_DEVICE : line.point);
  }
  return [...external].map(([key, val]) => ({ key, val }));
}

export function isBindMount({ type, options = [] }: Mount): boolean {
  return type === 'bind' || options.some((option) => option === 'bind' || option === 'rbind');
}

/** What a name in the images stands for when a container is restored. */
export interface RestoredMounts {
  /** The config's. */
  mounts: readonly Mount[];
  /** Paths of devices, which are the same on the host. */
  devices: readonly string[];
  bundle: string;
  /** Names in the images, where they are known: those of mounts below a recursive bind are in no config. */
  names: readonly string[];
  /** Where a destination leads to by symlinks of the image. */
  resolve: (destination: string) => string;
}

/** The name and source of every mount that comes from the host. One that the images don't have does no harm. */
export function restoredMounts(given: RestoredMounts): ExternalMount[] {
  const sources = new Map<string, string>([[NULL_DEVICE, NULL_DEVICE]]);
  for (const path of given.devices) sources.set(path, path);
  for (const mount of given.mounts) {
    if (!isBindMount(mount) || !mount.source) continue;
    const source = resolve(given.bundle, mount.source);
    sources.set(normalize(`/${mount.destination}`).replace(/(.)\/+$/, '$1'), source);
    sources.set(given.resolve(mount.destination), source);
  }
  const known = [...sources];
  for (const name of given.names) {
    if (sources.has(name)) continue;
    // Below a recursive bind: the longest destination that it lies in.
    let best: [string, string] | undefined;
    for (const pair of known)
      if (isWithin(name, pair[0]) && (best === undefined || pair[0].length > best[0].length)) best = pair;
    if (best !== undefined) sources.set(name, best[1] + name.slice(best[0].length));
  }
  return [...sources].map(([key, val]) => ({ key, val }));
}
