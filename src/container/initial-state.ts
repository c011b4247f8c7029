/**
 * The state of a container before anything of it is there.
 *
 * @module
 */

import type { CommandContext } from '../cli/types.ts';
import { mountLabelOf } from '../plan/labels.ts';
import { FILTER_NAME } from '../plan/seccomp.ts';
import { SPEC_VERSION } from '../version.ts';
import type { Prepared } from './prepare.ts';
import { identify } from './process.ts';
import { type CgroupState, type ContainerState, STATE_VERSION, timestamp } from './state.ts';

/** What is known from the config and the command line. */
export function initialState(ctx: CommandContext, prepared: Prepared): ContainerState {
  const { spec, options, facts } = prepared;
  const linux = spec.linux ?? {};
  return {
    stateVersion: STATE_VERSION,
    id: options.id,
    phase: 'creating',
    creator: identify('self') ?? { pid: process.pid, startTime: 0 },
    init: null,
    cgroup: options.cgroupPath === null ? null : cgroupState(options, facts.cgroupMount ?? ''),
    ociVersion: SPEC_VERSION,
    bundle: options.bundle,
    rootfs: options.rootfs,
    rootPath: ctx.global.root,
    created: timestamp(),
    owner: facts.euid,
    annotations: spec.annotations ?? {},
    hooks: {
      startContainer: spec.hooks?.startContainer ?? [],
      poststart: spec.hooks?.poststart ?? [],
      poststop: spec.hooks?.poststop ?? [],
    },
    process: spec.process!,
    namespaces: linux.namespaces ?? [],
    uidMappings: linux.uidMappings ?? [],
    gidMappings: linux.gidMappings ?? [],
    mountLabel: mountLabelOf(spec, facts),
    personality: linux.personality,
    memoryPolicy: linux.memoryPolicy,
    resources: linux.resources ?? null,
    ...seccompState(prepared),
    rootless: facts.euid !== 0,
    noPivot: options.noPivot,
    noNewKeyring: options.noNewKeyring,
  };
}

/** What `exec` needs of the filter. */
function seccompState({
  spec,
  seccomp,
}: Prepared): Pick<ContainerState, 'seccompFilter' | 'seccompListener'> {
  if (seccomp === undefined) return { seccompFilter: null };
  const { listenerPath = '', listenerMetadata } = spec.linux!.seccomp!;
  if (!seccomp.filter.notify) return { seccompFilter: FILTER_NAME };
  return { seccompFilter: FILTER_NAME, seccompListener: { path: listenerPath, metadata: listenerMetadata } };
}

function cgroupState({ cgroupPath, scope }: Prepared['options'], mountpoint: string): CgroupState {
  const path = cgroupPath ?? '';
  if (scope === undefined) return { manager: 'cgroupfs', mountpoint, path };
  return { manager: 'systemd', mountpoint, path, unit: scope.unit, user: scope.user };
}
