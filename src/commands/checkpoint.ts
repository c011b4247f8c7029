/**
 * `runts checkpoint`: saves a running container to files.
 *
 * @module
 */

import type { CommandContext } from '../cli/types.ts';
import { destroy, runPoststop } from '../container/destroy.ts';
import { withLockAsync } from '../container/lock.ts';
import { find, whileAlive } from '../container/running.ts';
import { type ContainerState, stateDirectory } from '../container/state.ts';
import { dump } from '../criu/dump.ts';
import { type CheckpointFlags, checkpointFlags } from '../criu/options.ts';
import { RuntsError } from '../errors.ts';
import { log } from '../log.ts';

export async function run(ctx: CommandContext): Promise<number> {
  const id = ctx.operands[0] ?? '';
  const { root } = ctx.global;
  const flags = checkpointFlags(ctx.flags);
  checkRunning(root, id);
  const gone = await withLockAsync(stateDirectory(root, id), () => save(root, id, flags));
  if (gone !== undefined) await runPoststop(gone);
  return 0;
}

/** @returns the state of a container that is no more */
async function save(root: string, id: string, flags: CheckpointFlags): Promise<ContainerState | undefined> {
  // Again: it may have ended while this waited for the lock.
  const state = checkRunning(root, id);
  if (process.geteuid?.() !== 0)
    log.warn('checkpoint needs root, or a CRIU that was given CAP_CHECKPOINT_RESTORE');
  await whileAlive(state, () => dump(state, flags));
  if (flags.leaveRunning || flags.preDump) return undefined;
  await destroy(root, id, state);
  return state;
}

function checkRunning(root: string, id: string): ContainerState {
  const { state, status } = find(root, id);
  if (status === 'running' || status === 'paused') return state;
  throw new RuntsError('E_WRONG_STATE', `container cannot be checkpointed in ${status} state`);
}
