/**
 * A hook that runs inside the container's namespaces (createContainer, startContainer): the executor joins them by one
 * setns(2) of a pidfd, and clones the hook into the pid namespace and the cgroup.
 *
 * runtime-spec config.md, "POSIX-platform Hooks".
 *
 * @module
 */

import { CLONE, PR } from '../../ffi/constants/index.ts';
import {
  type Cell,
  handed,
  Program,
  type ProgramBuilder,
  stringArray,
  valueIn,
  words,
} from '../../ffi/program.ts';
import type { LinuxNamespace } from '../spec/types.ts';
import { planCloseOnExec } from './close-on-exec.ts';
import { type MemberOptions, memberContext, planBeforeJoining, planMember } from './member.ts';
import { NAMESPACE_FLAGS } from './namespaces.ts';
import { planLimits, planUmask, planUser } from './process.ts';
import { FD, TAG, waitForParent } from './protocol.ts';
import { planConfineTo } from './rootfs.ts';
import { planListener, planSeccomp } from './seccomp.ts';
import type { HostFacts } from './types.ts';

/** Pidfd of the container's init. */
export const INIT_PIDFD = handed('init');

/** The cgroup namespace of a container with a user namespace; {@link planEnter} says what for. */
export const CGROUP_NAMESPACE = handed('cgroupNamespace');

export interface HookPlanInput {
  path: string;
  argv: readonly string[];
  env: readonly string[];
  /** Absolute path of the root that the hook is confined to, where its mount namespace is the runtime's. */
  root?: string;
  /** Where the hook starts; a path in the container's mount namespace. */
  cwd: string;
  namespaces: readonly LinuxNamespace[];
  /** The container has a cgroup to put the hook into; handed as `cgroup`. */
  cgroup: boolean;
  /**
   * The container whose image the hook is a program of: it gets what the container's command gets. null: it has the
   * rights of the runtime, which only a program of the host may have.
   */
  as: MemberOptions | null;
}

/**
 * Joins the namespaces of the container but its own cgroup namespace, and gives what joins that one once the process
 * has been cloned: where cgroups are delegated by namespace (the mount option nsdelegate, as systemd has it), nobody
 * can bring a process from outside of his own namespace's root into a cgroup, not even by clone3(2): cgroups(7).
 *
 * One that the config names may be the host's, which a process in a user namespace has no right to: that comes first.
 *
 * From a user namespace the pidfd won't do: it takes the right to trace init, which nobody in there has while init is
 * undumpable and has the memory that it was given outside: before its execve.
 */
export function planEnter(program: ProgramBuilder, namespaces: readonly LinuxNamespace[]): () => void {
  const isLate = ({ type, path }: LinuxNamespace): boolean => type === 'cgroup' && !path;
  const join = (some: readonly LinuxNamespace[], from = INIT_PIDFD): void => {
    const flags = some.reduce((all, { type }) => all | NAMESPACE_FLAGS[type], 0);
    if (flags !== 0) program.call('setns', [from, flags], { field: 'linux.namespaces' });
  };
  join(namespaces.filter((namespace) => !isLate(namespace)));
  return () =>
    join(namespaces.filter(isLate), takesCgroupNamespace(namespaces) ? CGROUP_NAMESPACE : INIT_PIDFD);
}

/** Whether {@link CGROUP_NAMESPACE} must be handed. */
export function takesCgroupNamespace(namespaces: readonly LinuxNamespace[]): boolean {
  const has = (type: string): boolean => namespaces.some((namespace) => namespace.type === type);
  return has('user') && namespaces.some(({ type, path }) => type === 'cgroup' && !path);
}

/**
 * Clones the process into the pid namespace, and the cgroup; where the kernel refuses the cgroup, the parent moves the
 * process. In a user namespace it does when the cgroup belongs to the container's root.
 */
export function planClone(program: ProgramBuilder, cgroup: boolean, scratch: Cell): void {
  const pid = program.cell('pid');
  const child = program.label('process');
  const args = (flags: number | bigint, fd: typeof FD.cgroup | 0): ReturnType<typeof words> =>
    words('clone_args', [flags, 0, 0, 0, 0, 0, 0, 0, 0, 0, fd]);
  if (cgroup) {
    const refused = program.label('unplaced');
    const into = BigInt(CLONE.PARENT) | CLONE.INTO_CGROUP;
    program.call('clone3', [args(into, FD.cgroup), CLONE_ARGS_SIZE], {
      store: pid,
      tolerate: ['EBUSY', 'EOPNOTSUPP', 'EACCES', 'ENOENT'],
      goto: refused,
    });
    program.jumpIf(valueIn(pid), '==', 0, child);
    program.notify(TAG.INIT, valueIn(pid));
    program.call('exit_group', [0]);
    program.place(refused);
  }
  const unplaced = program.label('unplacedProcess');
  program.call('clone3', [args(CLONE.PARENT, 0), CLONE_ARGS_SIZE], { store: pid });
  program.jumpIf(valueIn(pid), '==', 0, unplaced);
  program.notify(cgroup ? TAG.INIT_UNPLACED : TAG.INIT, valueIn(pid));
  program.call('exit_group', [0]);
  program.place(unplaced);
  if (cgroup) waitForParent(program, scratch, 'until it is in its cgroup');
  program.place(child);
}

const CLONE_ARGS_SIZE = 88;

/**
 * The program that becomes the hook. Its standard streams are handed as 0, 1 and 2.
 *
 * A program of the image sends the note READY and waits, so that the parent can set what it has no right to set itself.
 */
export function planHook(input: HookPlanInput, facts: HostFacts): Program {
  const program = new Program();
  const { namespaces, as } = input;
  const scratch = program.cell('scratch');
  program.within('hooks', () => {
    const confine = as === null ? undefined : planConfinement(program, as, facts, scratch);
    program.call('prctl', [PR.SET_DUMPABLE, 0]);
    const enterLast = planEnter(program, namespaces);
    program.call('chdir', [input.cwd]);
    planClone(program, input.cgroup, scratch);
    enterLast();
    if (input.root !== undefined) planConfineTo(program, input.root);
    if (confine === undefined) program.call('setsid', []);
    else confine();
    planCloseOnExec(program, 3, facts.closeRange);
    if (as !== null) {
      program.notify(TAG.READY);
      waitForParent(program, scratch, 'until its limits are set');
    }
    if (as?.seccomp?.notify === true) planListener(program, as.seccomp, scratch);
    else if (as?.seccomp !== undefined) planSeccomp(program, as.seccomp);
    program.call('execve', [input.path, stringArray(input.argv), stringArray(input.env)]);
    program.call('exit_group', [255]);
  });
  return program;
}

/**
 * A program of the container's image must have no more than the container's own command: neither rights nor keys nor
 * resources. Gives what is to be done in the namespaces.
 */
function planConfinement(
  program: ProgramBuilder,
  member: MemberOptions,
  facts: HostFacts,
  scratch: Cell,
): () => void {
  const { process } = member;
  const ctx = memberContext(program, member, facts);
  const proc = planBeforeJoining(ctx, process, scratch);
  return () => {
    planMember(ctx, process, proc);
    planLimits(ctx, process, member.linux);
    planUser(ctx, process);
    planUmask(program, process);
  };
}
