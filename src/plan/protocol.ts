/**
 * What the executor and its parent say to each other over the `sync` socket (SOCK_SEQPACKET) while a container is made.
 *
 * The executor sends notes with these tags; where it then waits, the parent answers with one byte. A parent that is
 * gone reads as end of file, and the executor exits: a container that nobody knows of never survives.
 *
 * @module
 */

import type { Cell, ProgramBuilder } from '../../ffi/program.ts';
import { addressOf, handed, valueIn } from '../../ffi/program.ts';

export const TAG = {
  /** A user namespace exists; write its id maps. The executor waits. */
  MAP_IDS: 1,
  /** Value: pid of the container's init as its parent sees it; it is in its cgroup. */
  INIT: 2,
  /** Likewise, but the kernel refused to clone into the cgroup: move it there. Init waits. */
  INIT_UNPLACED: 3,
  /** Namespaces and mounts are made, the root is not yet changed: run the hooks. The executor waits. */
  HOOKS: 4,
  /** All is done but execve. The executor waits. */
  READY: 5,
  /** The next thing is execve; end of file after this means that it succeeded. */
  EXECUTING: 6,
  /** Value: how many candidates of PATH were tried; none can be executed. */
  NOT_FOUND: 7,
  /** Value: the descriptor, in the process, on which a seccomp agent gets notifications. The process waits. */
  LISTENER: 8,
  /** The network namespace is entered and has its `lo`: move devices into it. Init waits. */
  NETWORK: 9,
  /** Value: two descriptors of init, (a tmpfs << 32) | the folder that it covers. Init makes calls that it is told.
   * 0: there is nothing to copy, and init goes on. */
  COPY_UP: 10,
  /** Value: what such a call has given. */
  ANSWER: 11,
} as const;

/** Names of the descriptors that the parent hands to the executor. */
export const FD = {
  /** Notes, failures and answers. */
  sync: handed('sync'),
  /** Directory of the container's cgroup, for CLONE_INTO_CGROUP. */
  cgroup: handed('cgroup'),
  /** The FIFO that `start` writes a byte into. */
  start: handed('start'),
  /** The FIFO on which the outcome of execve goes to `start`. */
  result: handed('result'),
  /** Socket that gets the master of the terminal. */
  console: handed('console'),
} as const;

/** Field of operations that serve several fields in turn; which one it was stands in the text of the failure. */
export const TOLD_FIELD = '(shared)';

/** The text for a failure of such an operation. */
export function toldText(field: string, path: string): string {
  return `${field}\n${path}`;
}

/** The inverse of {@link toldText}; the path may be cut off. */
export function readToldText(text: string): { field: string; path: string } {
  const end = text.indexOf('\n');
  return end < 0 ? { field: text, path: '' } : { field: text.slice(0, end), path: text.slice(end + 1) };
}

/** Waits for the parent's byte; exits when the parent is gone. */
export function waitForParent(program: ProgramBuilder, scratch: Cell, note: string): void {
  const got = program.label('go');
  program.call('read', [FD.sync, addressOf(scratch), 1], { store: scratch, note });
  program.jumpIf(valueIn(scratch), '!=', 0, got);
  program.call('exit_group', [0], { note: 'the runtime is gone' });
  program.place(got);
}
