/**
 * Which cgroup a container gets, and from whom: this process, systemd, or nobody.
 *
 * @module
 */

import { accessSync, constants, existsSync } from '#files';
import type { GlobalOptions } from '../cli/types.ts';
import { errnoOf } from '../errors.ts';
import { log } from '../log.ts';
import type { Spec } from '../spec/types.ts';
import { limitWrites } from './controllers/index.ts';
import { type CgroupFacts, cgroupFacts } from './facts.ts';
import { cgroupPath } from './path.ts';
import { type ScopeName, scopeName, unitPath } from './systemd/names.ts';
import { inUserNamespace } from './unprivileged.ts';

/** A container's cgroup before it is there. */
export interface ChosenCgroup {
  mountpoint: string;
  /** Below the mount point. With systemd a guess until it has answered, which is right on usual hosts. */
  path: string;
  /** The unit that systemd is to make. */
  scope?: ScopeName;
}

/**
 * Decides by the options and the config.
 *
 * @returns null for a container that stays in the runtime's own cgroup: with the manager `disabled`, or for a user
 *   who may not make cgroups and whose config asks for none, by a path or a limit
 * @throws RuntsError E_CGROUP
 */
export function chooseCgroup(
  { cgroupManager, rootless }: GlobalOptions,
  spec: Spec,
  id: string,
): ChosenCgroup | null {
  if (cgroupManager === 'disabled') return null;
  const facts = cgroupFacts();
  const path = spec.linux?.cgroupsPath;
  if (cgroupManager === 'systemd') {
    const scope = scopeName(path, id, usesUserBus(rootless));
    return { mountpoint: facts.mountpoint, path: `${managerRoot(facts, scope)}${unitPath(scope)}`, scope };
  }
  const chosen = { mountpoint: facts.mountpoint, path: cgroupPath(path, id, facts.own) };
  return path || rootless === 'false' || mayMake(chosen, rootless) || hasLimits(spec) ? chosen : null;
}

function hasLimits(spec: Spec): boolean {
  return limitWrites(spec.linux?.resources ?? {}).length > 0;
}

/** Whether the cgroup can be made, as far as rights go. For root of the host everything else is an error. */
function mayMake({ mountpoint, path }: ChosenCgroup, rootless: GlobalOptions['rootless']): boolean {
  for (let level = path; ; level = level.slice(0, level.lastIndexOf('/'))) {
    try {
      accessSync(mountpoint + level, constants.W_OK);
      return true;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' && level !== '') continue;
      const privileged = rootless === 'auto' && process.geteuid?.() === 0 && !inUserNamespace();
      if (!privileged) log.debug(`no cgroup of its own: ${mountpoint}${level} is not writable`);
      return privileged;
    }
  }
}

/** An ordinary user's containers are units of the user's systemd; so are those in a user namespace that has a bus. */
function usesUserBus(rootless: GlobalOptions['rootless']): boolean {
  if (rootless !== 'auto') return rootless === 'true';
  if (process.geteuid?.() !== 0) return true;
  const { DBUS_SESSION_BUS_ADDRESS: address, XDG_RUNTIME_DIR: directory } = process.env;
  return inUserNamespace() && Boolean(address || (directory && existsSync(`${directory}/bus`)));
}

/** Where the systemd that is asked has its root: a user's is a service below the system's. */
function managerRoot({ own }: CgroupFacts, { user }: ScopeName): string {
  if (!user) return '';
  return /^.*\/user@\d+\.service(?=\/|$)/.exec(own)?.[0] ?? '';
}
