/**
 * The parent's steps for a container's cgroup: making it, handing it over, and the limits.
 *
 * @module
 */

import { limitWrites } from '../cgroup/controllers/index.ts';
import { deviceRules } from '../cgroup/devices/rules.ts';
import { controllersOf, type Write } from '../cgroup/write.ts';
import type { Spec } from '../spec/types.ts';
import { hostId } from './idmap.ts';
import { isNewNamespace } from './namespaces.ts';
import type { HostStep, PlanOptions } from './types.ts';

/** Steps by the time at which they are taken. */
export interface CgroupSteps {
  /** Before the executor is started, which clones init into the cgroup. */
  before: HostStep[];
  /** When init is there and waits: systemd wants a process to put into a scope. */
  withInit: HostStep[];
  /**
   * When the container is made but for its hooks and command: a processor quota must not slow down the making, and
   * what the making used of the memory has been given back.
   */
  limits: HostStep[];
  /** When init is in its cgroup namespace. */
  delegated: HostStep[];
  warnings: string[];
}

/** @throws RuntsError for limits that contradict each other, or that only cgroup v1 has */
export function planCgroup(spec: Spec, options: PlanOptions): CgroupSteps {
  const resources = spec.linux?.resources ?? {};
  const writes = limitWrites(resources);
  const rules = deviceRules(resources.devices ?? []);
  const steps: CgroupSteps = { before: [], withInit: [], limits: [], delegated: [], warnings: [] };
  if (options.cgroupPath === null) {
    steps.warnings.push(...noCgroup(writes, rules !== undefined && options.unprivileged !== true));
    return steps;
  }
  const field = 'linux.cgroupsPath';
  const make = options.scope === undefined ? steps.before : steps.withInit;
  const controllers = [...controllersOf(writes)];
  if (options.scope === undefined)
    make.push({ step: 'cgroup', path: options.cgroupPath, field, controllers });
  else make.push({ step: 'scope', ...options.scope, controllers, subgroup: options.extensions?.subgroup });
  const owner = cgroupOwner(spec);
  const delegated = options.extensions?.delegated;
  if (delegated !== undefined)
    steps.delegated.push({ step: 'delegatedCgroup', path: delegated, uid: owner ?? containerRoot(spec) });
  if (owner !== undefined) make.push({ step: 'cgroupOwner', uid: owner });
  if (writes.length > 0 || (options.scope !== undefined && rules !== undefined)) {
    steps.limits.push({ step: 'cgroupLimits', writes });
  }
  if (rules !== undefined) steps.limits.push({ step: 'deviceRules', rules });
  return steps;
}

function noCgroup(writes: readonly Write[], devices: boolean): string[] {
  const fields = [...new Set(writes.map(({ field }) => field))];
  if (devices) fields.push('linux.resources.devices');
  return fields.map((field) => `${field}: not in force, as the container has no cgroup of its own`);
}

/**
 * The host's user to whom the cgroup is given, so that the container can make cgroups below it: config-linux.md,
 * Cgroup ownership. Only with a cgroup namespace of its own and the hierarchy mounted for writing.
 */
function cgroupOwner(spec: Spec): number | undefined {
  const { namespaces = [], uidMappings = [] } = spec.linux ?? {};
  const mounted = spec.mounts?.some(
    ({ source, destination, options = [] }) =>
      source === 'cgroup' && /^\/sys\/fs\/cgroup\/?$/.test(destination) && !options.includes('ro'),
  );
  if (!mounted || !isNewNamespace(namespaces, 'cgroup')) return undefined;
  const uid = spec.process?.user?.uid ?? 0;
  if (!namespaces.some(({ type }) => type === 'user')) return uid === 0 ? undefined : uid;
  return hostId(uid, uidMappings);
}

/** The host's id of root in the container's user namespace. */
function containerRoot({ linux }: Spec): number | undefined {
  return linux?.uidMappings === undefined ? undefined : hostId(0, linux.uidMappings);
}
