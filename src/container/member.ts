/**
 * What a process needs to be one of a container that is there, beside its plan: src/plan/member.ts.
 *
 * @module
 */

import { hasCloseRange, lastCapability, machine, setgroupsDenied } from '../linux/facts.ts';
import { securityModules } from '../linux/security.ts';
import { asksForLabels } from '../plan/labels.ts';
import type { MemberOptions } from '../plan/member.ts';
import type { CompiledFilter } from '../plan/seccomp.ts';
import type { HostFacts } from '../plan/types.ts';
import type { Process } from '../spec/types.ts';
import { keepsGroups } from './annotated.ts';
import { type ContainerState, stateDirectory } from './state.ts';

/** What confines `process` in the container. */
export async function memberOptions(state: ContainerState, process: Process): Promise<MemberOptions> {
  return {
    id: state.id,
    namespaces: state.namespaces,
    process,
    linux: state,
    noNewKeyring: state.noNewKeyring,
    keepGroups: await keepsGroups(state),
    seccomp: await containerFilter(state),
  };
}

/** Every process of the container has its filter, compiled once. */
async function containerFilter(state: ContainerState): Promise<CompiledFilter | undefined> {
  if (state.seccompFilter === null) return undefined;
  const { savedFilter } = await import('../seccomp/filter.ts');
  return savedFilter(stateDirectory(state.rootPath, state.id), state.id);
}

export function memberFacts(
  state: ContainerState,
  labelled: Pick<Process, 'apparmorProfile' | 'selinuxLabel'>,
): HostFacts {
  return {
    machine: machine(),
    euid: process.geteuid?.() ?? 0,
    egid: process.getegid?.() ?? 0,
    lastCapability: lastCapability(),
    cgroupMount: state.cgroup?.mountpoint ?? null,
    setgroupsDenied: setgroupsDenied(),
    closeRange: hasCloseRange(),
    security: asksForLabels(labelled) ? securityModules() : undefined,
  };
}

/** Gives what the parent is to do to a process that has said READY: what that has no right to set for itself. */
export async function settingsFromOutside(
  state: ContainerState,
  process: Process,
): Promise<(pid: number) => void> {
  const steps: ((pid: number) => void)[] = [];
  const { resctrl } = state;
  if (resctrl !== undefined) {
    const { joinResctrl } = await import('../linux/resctrl.ts');
    steps.push((pid) => joinResctrl(resctrl, pid));
  }
  if (state.namespaces.some((n) => n.type === 'user')) {
    if ((process.rlimits ?? []).length > 0) {
      const { setLimits } = await import('../linux/limits.ts');
      steps.push((pid) => setLimits(pid, process.rlimits ?? []));
    }
    if ((process.scheduler ?? process.ioPriority) !== undefined) {
      const { setScheduling } = await import('../linux/scheduling.ts');
      steps.push((pid) => setScheduling(pid, process));
    }
  }
  return (pid) => {
    for (const step of steps) step(pid);
  };
}
