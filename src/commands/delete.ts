/**
 * `runts delete [--force] ID`: removes a stopped or created container; with --force any, also a half-made one.
 *
 * @module
 */

import type { CommandContext } from '../cli/types.ts';
import { destroy, runPoststop } from '../container/destroy.ts';
import { checkId } from '../container/id.ts';
import { type Lock, lockContainer } from '../container/lock.ts';
import type { Salvage } from '../container/salvage.ts';
import { dies, killAndWait } from '../container/signal.ts';
import { type ContainerState, readState, stateDirectory, stateExists } from '../container/state.ts';
import { statusOf } from '../container/status.ts';
import { notFound, RuntsError } from '../errors.ts';

/** What is known of the container: its state, or with --force what can be salvaged of it. */
type Known = { state: ContainerState } | { salvaged: Salvage };

/** @returns undefined when there is no such container */
async function read(root: string, id: string, force: boolean): Promise<Known | undefined> {
  if (!stateExists(root, id)) return undefined;
  try {
    return { state: readState(root, id) };
  } catch (error) {
    if (!(error instanceof RuntsError)) throw error;
    if (error.code === 'E_NOT_FOUND') return undefined;
    if (!force || error.code !== 'E_STATE_CORRUPT') throw error;
    const { salvage } = await import('../container/salvage.ts');
    return { salvaged: salvage(root, id) };
  }
}

/**
 * Without --force only what can't be running any more, or never was: a created container's command did not start. One
 * that has been killed is waited for: it may be dead only a moment after `kill` is.
 */
async function checkDeletable(state: ContainerState): Promise<void> {
  const status = statusOf(state);
  if (status === 'stopped' || status === 'created') return;
  const { phase, init } = state;
  const { isEnding } = await import('../linux/ending.ts');
  if (phase !== 'creating' && init !== null && isEnding(init.pid) && (await dies(init))) return;
  throw new RuntsError(
    'E_WRONG_STATE',
    `cannot delete container ${state.id} that is not stopped: ${status}`,
    {
      hint: 'kill it first, or delete it with --force',
    },
  );
}

export async function run(ctx: CommandContext): Promise<number> {
  const id = ctx.operands[0] ?? '';
  const force = ctx.flags.force === true;
  const { root } = ctx.global;
  if (ctx.flags.regex !== true) return await deleteOne(root, id, force);
  const { forEachId, matchingIds } = await import('../container/matching.ts');
  return await forEachId(matchingIds(root, id), (match) => deleteOne(root, match, force));
}

async function deleteOne(root: string, id: string, force: boolean): Promise<number> {
  checkId(id);

  // Before the lock: a refusal needn't wait for a command that holds it, and with --force that command may be
  // waiting for the container.
  const before = await read(root, id, force);
  if (before === undefined) return missing(id, force);
  if (!force && 'state' in before) await checkDeletable(before.state);
  if (force) await killAndWait('state' in before ? before.state : before.salvaged);

  const known = await destroyLocked(root, id, force, before);
  if (known === undefined) return missing(id, force);
  if ('state' in known) await runPoststop(known.state);
  return 0;
}

/** @returns what was known of the destroyed container; undefined when another `delete` was faster */
async function destroyLocked(
  root: string,
  id: string,
  force: boolean,
  before: Known,
): Promise<Known | undefined> {
  let lock: Lock;
  try {
    lock = lockContainer(stateDirectory(root, id));
  } catch (error) {
    if (error instanceof RuntsError && error.code === 'E_NOT_FOUND') return undefined;
    throw error;
  }
  try {
    // Again: it may have been started, or created to the end, while this waited.
    const known = await read(root, id, force);
    if (known === undefined) return undefined;
    if (!force && 'state' in known) await checkDeletable(known.state);
    // A cgroup that was found through init isn't found again: init has been killed.
    if ('salvaged' in known && 'salvaged' in before) {
      known.salvaged.cgroup ??= before.salvaged.cgroup;
      known.salvaged.emptied ??= before.salvaged.emptied;
    }
    await destroy(root, id, 'state' in known ? known.state : known.salvaged);
    return known;
  } finally {
    lock.release();
  }
}

/** The container is gone already: with --force that is what was asked for. */
function missing(id: string, force: boolean): number {
  if (force) return 0;
  throw notFound(id);
}
