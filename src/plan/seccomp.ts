/**
 * The system call filter: loaded by the process itself as the last thing before execve, so that none of the runtime's
 * own calls has to be in the profile but execve (and write and exit_group, to tell that it failed).
 *
 * The kernel lets a process load a filter that has no_new_privs or CAP_SYS_ADMIN. Where the config doesn't set the
 * former, the process keeps the latter until execve, which computes the capabilities anew from the bounding,
 * inheritable and ambient sets (capabilities(7), "Transformation of capabilities during execve()").
 *
 * A filter that leaves calls to an agent gives a descriptor, which the parent must get while it is there: it is loaded
 * before the parent is told that all is ready.
 *
 * runtime-spec config-linux.md, "Seccomp"; seccomp(2), seccomp_unotify(2).
 *
 * @module
 */

import { SECCOMP } from '../../ffi/constants/index.ts';
import type { Cell, Label, ProgramBuilder } from '../../ffi/program.ts';
import { addressOf, bytes, valueIn, words } from '../../ffi/program.ts';
import { FD, TAG, waitForParent } from './protocol.ts';
import { planSendDescriptor } from './rights.ts';

/** The config field that all of this comes from. */
export const SECCOMP_FIELD = 'linux.seccomp';

/** A filter as seccomp(2) takes it. */
export interface CompiledFilter {
  /** Array of struct sock_filter, linux/filter.h. */
  readonly program: Uint8Array;
  /** SECCOMP_FILTER_FLAG_*. */
  readonly flags: number;
  /** Some calls are left to an agent: loading gives a descriptor that the agent must get. */
  readonly notify: boolean;
}

/** Name of the file in a container's state folder that holds its filter. */
export const FILTER_NAME = 'seccomp.bpf';

/** What the parent answers to {@link TAG.LISTENER} when it wants the descriptor sent. Anything else: it has it. */
export const SEND = 's';

const INSTRUCTION_SIZE = 8;

/** Whether the process must keep CAP_SYS_ADMIN until execve. */
export function needsSysAdmin(
  filter: CompiledFilter | undefined,
  noNewPrivileges: boolean | undefined,
): boolean {
  return filter !== undefined && noNewPrivileges !== true;
}

/**
 * Loads a filter.
 *
 * @param failed - where to go on when the kernel refuses it; by default that is reported like any other failure
 */
export function planSeccomp(
  program: ProgramBuilder,
  filter: CompiledFilter,
  options: { store?: Cell; failed?: Label } = {},
): void {
  const count = filter.program.length / INSTRUCTION_SIZE;
  // struct sock_fprog { unsigned short len; struct sock_filter *filter; }
  const fprog = words('sock_fprog', [count, bytes(filter.program, `sock_filter[${count}]`)]);
  program.call('seccomp', [SECCOMP.SET_MODE_FILTER, filter.flags, fprog], {
    field: SECCOMP_FIELD,
    store: options.store,
    ...(options.failed === undefined ? {} : { tolerate: 'any', goto: options.failed }),
  });
}

/**
 * Loads a filter with a listener and gets the descriptor to the parent: it takes it out of this process
 * (pidfd_getfd(2)), or asks for it where it may not. From the load to that only write(2) must not be left to the agent,
 * and read(2) and sendmsg(2) where it asks.
 */
export function planListener(program: ProgramBuilder, filter: CompiledFilter, scratch: Cell): void {
  const listener = program.cell('listener');
  const answer = program.cell('answer');
  const answered = program.label('answered');
  const taken = program.label('taken');
  program.within(SECCOMP_FIELD, () => {
    planSeccomp(program, filter, { store: listener });
    program.notify(TAG.LISTENER, valueIn(listener), null, 0, 'for the seccomp agent');
    program.call('read', [FD.sync, addressOf(answer), 1], { store: scratch });
    program.jumpIf(valueIn(scratch), '!=', 0, answered);
    program.call('exit_group', [0], { note: 'the runtime is gone' });
    program.place(answered);
    program.jumpIf(valueIn(answer), '!=', SEND.charCodeAt(0), taken);
    planSendDescriptor(program, FD.sync, listener, 'seccompFd');
    waitForParent(program, scratch, 'until the agent has it');
    program.place(taken);
  });
}
