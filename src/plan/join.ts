/**
 * The plan of `exec`: a process that joins a running container, by one setns(2) of a pidfd of its init.
 *
 * @module
 */

import { AT, O, PR } from '../../ffi/constants/index.ts';
import { Program, type ProgramBuilder } from '../../ffi/program.ts';
import type { LinuxNamespace, Process } from '../spec/types.ts';
import { planAffinity, planAnyProcessor } from './affinity.ts';
import type { InheritedAttributes } from './attributes.ts';
import { openTerminal } from './console.ts';
import { planClone, planEnter } from './hook.ts';
import { planLabels, planOpenProc, requireModules } from './labels.ts';
import { planBecomeRoot } from './namespaces.ts';
import { planOomScore } from './oom-score.ts';
import { planProcess, planSession } from './process.ts';
import { RootAccess } from './root.ts';
import { planConfineTo } from './rootfs.ts';
import type { CompiledFilter } from './seccomp.ts';
import type { HostFacts, PlanContext, PlanOptions } from './types.ts';

export interface JoinOptions {
  id: string;
  namespaces: readonly LinuxNamespace[];
  /** Absolute path of the root on the host, for a container without a mount namespace. */
  rootfs: string;
  process: Process;
  /** What of the container's config every process of it gets. */
  linux: InheritedAttributes;
  /** A cgroup to clone into, handed as `cgroup`. */
  cgroup: boolean;
  noNewKeyring: boolean;
  preserveFds: number;
  /** The container's system call filter. */
  seccomp?: CompiledFilter;
  keepGroups?: boolean;
}

export interface JoinPlan<P extends ProgramBuilder = Program> {
  program: P;
  warnings: readonly string[];
}

/** The program of a process in a running container, to be read. */
export function planJoin(options: JoinOptions, facts: HostFacts): JoinPlan {
  return planJoinInto(new Program(), options, facts);
}

/** Likewise, with the operations appended to a given program. */
export function planJoinInto<P extends ProgramBuilder>(
  program: P,
  options: JoinOptions,
  facts: HostFacts,
): JoinPlan<P> {
  const { namespaces, process } = options;
  const userNamespace = namespaces.some((n) => n.type === 'user');
  const ctx: PlanContext = {
    program,
    facts,
    options: planOptions(options),
    userNamespace,
    keepGroups: options.keepGroups,
    warnings: [],
  };
  requireModules(facts, process);
  const { initial, final } = process.execCPUAffinity ?? {};
  const scratch = program.cell('scratch');
  if (initial) planAffinity(program, initial, 'process.execCPUAffinity.initial');
  // The container's caller may have had rights that this one's hasn't.
  planOomScore(program, process, scratch, 'lenient');
  const proc = planOpenProc(ctx, process);
  program.call('prctl', [PR.SET_DUMPABLE, 0], { note: 'no ptrace from the namespaces we join' });
  const enterLast = planEnter(program, namespaces);
  planClone(program, options.cgroup, scratch);
  enterLast();
  if (!namespaces.some((n) => n.type === 'mount')) planConfineTo(program, options.rootfs);
  // Not before: the files of the cgroup are the runtime's user's.
  if (userNamespace) planBecomeRoot(ctx);
  if (final) planAffinity(program, final, 'process.execCPUAffinity.final');
  else planAnyProcessor(program);
  planSession(ctx, process, proc, 'existing');
  planLabels(ctx, process, proc);
  program.call('umask', [0]);
  let terminal: ReturnType<typeof openTerminal> | undefined;
  if (process.terminal === true) {
    const root = new RootAccess(program);
    program.call('openat', [AT.FDCWD, '/', O.PATH | O.DIRECTORY | O.CLOEXEC], { store: root.fd });
    terminal = openTerminal(ctx, root, process.consoleSize);
  }
  planProcess(ctx, process, options.linux, terminal?.peer, scratch);
  return { program, warnings: ctx.warnings };
}

/** What of the options of `create` matters here. */
function planOptions(options: JoinOptions): PlanOptions {
  return {
    id: options.id,
    mode: 'run',
    noNewKeyring: options.noNewKeyring,
    preserveFds: options.preserveFds,
    bundle: '',
    rootfs: '/',
    stateDir: '',
    cgroupPath: null,
    noPivot: false,
    seccomp: options.seccomp,
  };
}
