/**
 * The seccomp agent: it gets the descriptor on which the kernel asks about system calls with SCMP_ACT_NOTIFY.
 *
 * runtime-spec config-linux.md, "Seccomp" and "Seccomp process state": one JSON object over a stream socket, with the
 * descriptor beside it, one connection for each process.
 *
 * @module
 */

import { closeSync } from '#files';
import { ERRNO } from '../../ffi/constants/errno.ts';
import { POLL, poll } from '../../ffi/descriptors.ts';
import { syscallError, trySyscall } from '../../ffi/local.ts';
import { pidfdOpen } from '../../ffi/processes.ts';
import { utf8 } from '../../ffi/text.ts';
import type { Channel } from '../container/channel.ts';
import type { ContainerState } from '../container/state.ts';
import { ociState } from '../container/status.ts';
import { RuntsError } from '../errors.ts';
import { connectUnix, receiveDescriptors, sendDescriptors } from '../linux/socket.ts';
import { TAG } from '../plan/protocol.ts';
import { SECCOMP_FIELD, SEND } from '../plan/seccomp.ts';

/** Name of the descriptor in the message, as the specification has it. */
const FD_NAME = 'seccompFd';

/** How long a process may take to send its descriptor: it is one system call, unless that waits for the agent itself. */
const SEND_TIMEOUT_MS = 5000;

/** Where the agent is, and what it is told beside the state. */
export interface Agent {
  path: string;
  metadata?: string;
}

/**
 * Waits until a process has loaded its filter, and hands the descriptor to the agent. The process goes on when
 * `channel.go()` is called after this.
 *
 * @param pid - of the process, as the runtime sees it
 * @param status - of the container, for the agent
 * @throws RuntsError E_INIT when the process failed; E_SYSCALL with the field when the agent can't be reached
 */
export function handListenerToAgent(
  channel: Channel,
  pid: number,
  agent: Agent,
  state: ContainerState,
  status: 'creating' | 'created' | 'running',
): void {
  const number = Number(channel.expect(TAG.LISTENER).value);
  const listener = takeListener(channel, pid, number);
  let socket = -1;
  try {
    const field = `${SECCOMP_FIELD}.listenerPath`;
    socket = connect(agent.path, field);
    const message = {
      ociVersion: state.ociVersion,
      fds: [FD_NAME],
      pid,
      ...(agent.metadata ? { metadata: agent.metadata } : {}),
      state: ociState(state, status),
    };
    const body = utf8(JSON.stringify(message));
    sendDescriptors(socket, body, [listener], `${field}: cannot tell the seccomp agent at ${agent.path}`);
  } finally {
    if (socket >= 0) closeSync(socket);
    closeSync(listener);
  }
}

function connect(path: string, field: string): number {
  try {
    return connectUnix(path, `${field}: cannot connect to the seccomp agent at ${path}`);
  } catch (error) {
    if (!(error instanceof RuntsError)) throw error;
    throw new RuntsError(error.code, error.message, {
      ...error.details,
      field,
      hint: 'start the agent that listens there first',
    });
  }
}

/**
 * The process's descriptor, by pidfd_getfd(2): it needs nothing of the process, whose calls may wait for the agent. The
 * process can't be traced, so this takes CAP_SYS_PTRACE; an ordinary user has the descriptor sent.
 */
function takeListener(channel: Channel, pid: number, number: number): number {
  const pidfd = pidfdOpen(pid);
  if (pidfd === undefined) throw new RuntsError('E_INIT', 'container init died before it was ready');
  try {
    const args = [pidfd, number, 0] as const;
    const fd = trySyscall('pidfd_getfd', args);
    if (fd >= 0) return fd;
    if (fd !== -ERRNO.EPERM && fd !== -ERRNO.ENOSYS) {
      throw syscallError('pidfd_getfd', args, -fd, { field: SECCOMP_FIELD });
    }
  } finally {
    closeSync(pidfd);
  }
  channel.go(SEND);
  const [events] = poll([{ fd: channel.socket, events: POLL.IN }], SEND_TIMEOUT_MS);
  const [sent] = events === 0 ? [] : receiveDescriptors(channel.socket).fds;
  if (sent !== undefined) return sent;
  throw new RuntsError(
    'E_INIT',
    `${SECCOMP_FIELD}: the process can’t pass its descriptor for the seccomp agent on`,
    {
      field: SECCOMP_FIELD,
      hint: 'without root, SCMP_ACT_NOTIFY can’t be used for read and sendmsg, and they must be allowed',
    },
  );
}
