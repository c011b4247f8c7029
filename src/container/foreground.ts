/**
 * `run` in the foreground: signals forwarded, the terminal relayed, the container removed at its end.
 *
 * @module
 */

import { closeSync } from '#files';
import { pidfdOpen, pidfdSendSignal, waitForExit } from '../../ffi/processes.ts';
import { RuntsError } from '../errors.ts';
import { type CaughtSignals, exitCodeOf } from '../terminal/signals.ts';
import type { Created } from './create.ts';
import { destroy, runPoststop } from './destroy.ts';
import { type Lock, lockContainer } from './lock.ts';
import { stateDirectory, stateExists } from './state.ts';

/** What is waited for: a child of this process. */
export interface Supervised {
  pid: number;
  pidfd: number;
  /** Our end of the socket with the terminal's master, if it is relayed here. */
  console: number | null;
}

/**
 * Waits for the container's end and removes it. Gives its exit code, 128 + N when a signal ended it.
 *
 * @param signals - caught since before the command ran; released here
 */
export async function superviseForeground(
  created: Created,
  signals: CaughtSignals,
  options: { keep: boolean },
): Promise<number> {
  const { pid, console } = created;
  const pidfd = pidfdOpen(pid);
  if (pidfd === undefined)
    throw new RuntsError('E_INIT', 'container init died before it could be waited for');
  return await waitInForeground({ pid, pidfd, console }, signals, async () => {
    if (!options.keep) await remove(created);
  });
}

/** Waits for a child's end, with signals forwarded and the terminal relayed, then cleans up. Closes the pidfd. */
export async function waitInForeground(
  { pid, pidfd, console }: Supervised,
  signals: CaughtSignals,
  cleanUp: () => Promise<void> = async () => {},
): Promise<number> {
  let ended = false;
  signals.forwardTo((signal) => {
    if (!ended) pidfdSendSignal(pidfd, signal);
  });
  const relay = console === null ? null : await startRelay(console);
  const status = await waitForExit({ pid, pidfd }, true);
  ended = true;
  closeSync(pidfd);
  await relay?.finish();
  await cleanUp();
  // Only now: a signal on the way here would leave the terminal raw or the container half removed.
  signals.release();
  return exitCodeOf(status);
}

async function startRelay(console: number): Promise<{ finish: () => Promise<void> }> {
  const { receiveDescriptors } = await import('../linux/socket.ts');
  const { relayTerminal } = await import('../terminal/relay.ts');
  const [master] = receiveDescriptors(console).fds;
  if (master === undefined) throw new RuntsError('E_TTY', 'the container sent no terminal');
  closeSync(console);
  return relayTerminal(master);
}

/** The container may have been deleted by somebody else meanwhile. */
async function remove(created: Created): Promise<void> {
  const { state } = created;
  if (!stateExists(state.rootPath, state.id)) return;
  let lock: Lock;
  try {
    lock = lockContainer(stateDirectory(state.rootPath, state.id));
  } catch (error) {
    // Whoever held the lock, `checkpoint` for instance, has removed it.
    if (error instanceof RuntsError && error.code === 'E_NOT_FOUND') return;
    throw error;
  }
  try {
    await destroy(state.rootPath, state.id, state);
  } finally {
    lock.release();
  }
  await runPoststop(state);
}
