/**
 * The plan of `exec`: a process that joins a running container, by one setns(2) of a pidfd of its init.
 *
 * @module
 */

import { AT, O, PR } from '../../ffi/constants/index.ts';
import { Program, type ProgramBuilder } from '../../ffi/program.ts';
import { planAffinity } from './affinity.ts';
import { openTerminal } from './console.ts';
import { planClone, planEnter } from './hook.ts';
import { type MemberOptions, memberContext, planBeforeJoining, planMember } from './member.ts';
import { planProcess } from './process.ts';
import { RootAccess } from './root.ts';
import { planConfineTo } from './rootfs.ts';
import type { HostFacts } from './types.ts';

export interface JoinOptions extends MemberOptions {
  /** Absolute path of the root on the host, for a container without a mount namespace. */
  rootfs: string;
  /** A cgroup to clone into, handed as `cgroup`. */
  cgroup: boolean;
  preserveFds: number;
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
  const ctx = memberContext(program, options, facts);
  const { initial, final } = process.execCPUAffinity ?? {};
  const scratch = program.cell('scratch');
  if (initial) planAffinity(program, initial, 'process.execCPUAffinity.initial');
  const proc = planBeforeJoining(ctx, process, scratch);
  program.call('prctl', [PR.SET_DUMPABLE, 0], { note: 'no ptrace from the namespaces we join' });
  const enterLast = planEnter(program, namespaces);
  planClone(program, options.cgroup, scratch);
  enterLast();
  if (!namespaces.some((n) => n.type === 'mount')) planConfineTo(program, options.rootfs);
  planMember(ctx, process, proc, final);
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
