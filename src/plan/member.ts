/**
 * How a process that was made outside becomes one of a container that is there: a further command (`exec`), and a hook that
 * is a program of the image. Both get what confines the container's own command, by the same steps.
 *
 * @module
 */

import type { Cell, ProgramBuilder } from '../../ffi/program.ts';
import type { LinuxNamespace, Process } from '../spec/types.ts';
import { planAffinity, planAnyProcessor } from './affinity.ts';
import type { InheritedAttributes } from './attributes.ts';
import { planLabels, planOpenProc, requireModules } from './labels.ts';
import { planBecomeRoot } from './namespaces.ts';
import { planOomScore } from './oom-score.ts';
import { planSession } from './process.ts';
import type { CompiledFilter } from './seccomp.ts';
import type { HostFacts, PlanContext, PlanOptions } from './types.ts';

export interface MemberOptions {
  id: string;
  namespaces: readonly LinuxNamespace[];
  /** What confines it; of a hook's, the command and its environment don't matter. */
  process: Process;
  /** What of the container's config every process of it gets. */
  linux: InheritedAttributes;
  /** As the container was made: its processes share the caller's session keyring. */
  noNewKeyring: boolean;
  /** The groups stay those of whoever called the runtime. */
  keepGroups?: boolean;
  /** The container's system call filter. */
  seccomp?: CompiledFilter;
}

/** The context of a process of `options.namespaces`. */
export function memberContext(
  program: ProgramBuilder,
  options: MemberOptions & { preserveFds?: number },
  facts: HostFacts,
): PlanContext {
  return {
    program,
    facts,
    options: planOptions(options),
    userNamespace: options.namespaces.some((n) => n.type === 'user'),
    keepGroups: options.keepGroups,
    warnings: [],
  };
}

/**
 * What has to be done while /proc is the host's. Gives the runtime's /proc for {@link planMember}.
 *
 * @throws RuntsError E_UNSUPPORTED for a label of a security module that is not there
 */
export function planBeforeJoining(ctx: PlanContext, process: Process, scratch: Cell): Cell | undefined {
  requireModules(ctx.facts, process);
  // The container's caller may have had rights that this one's hasn't.
  planOomScore(ctx.program, process, scratch, 'lenient');
  return planOpenProc(ctx, process);
}

/**
 * In the container's namespaces and cgroup: a session and the container's keyring, labels for execve.
 *
 * @param proc - of {@link planBeforeJoining}
 * @param affinity - the processors to run on, `process.execCPUAffinity.final`; all that the cgroup allows without it
 */
export function planMember(
  ctx: PlanContext,
  process: Process,
  proc: Cell | undefined,
  affinity?: string,
): void {
  const { program } = ctx;
  // Not before: the files of the cgroup are the runtime's user's.
  if (ctx.userNamespace) planBecomeRoot(ctx);
  if (affinity) planAffinity(program, affinity, 'process.execCPUAffinity.final');
  else planAnyProcessor(program);
  planSession(ctx, process, proc, 'existing');
  planLabels(ctx, process, proc);
}

/** What of the options of `create` matters here. */
function planOptions(options: MemberOptions & { preserveFds?: number }): PlanOptions {
  return {
    id: options.id,
    mode: 'run',
    noNewKeyring: options.noNewKeyring,
    preserveFds: options.preserveFds ?? 0,
    bundle: '',
    rootfs: '/',
    stateDir: '',
    cgroupPath: null,
    noPivot: false,
    seccomp: options.seccomp,
  };
}
