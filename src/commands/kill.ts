/**
 * `runts kill ID [SIGNAL]`: sends a signal to the container's init, or with --all to all of its processes.
 *
 * It takes no lock: a signal is one act, and a container must be killable while another command waits for it.
 *
 * @module
 */

import type { CommandContext } from '../cli/types.ts';
import { checkId } from '../container/id.ts';
import { signalAll, signalInit } from '../container/signal.ts';
import { readState } from '../container/state.ts';
import { statusOf } from '../container/status.ts';
import { notRunning, RuntsError } from '../errors.ts';
import { parseSignal } from '../linux/signals.ts';

export async function run(ctx: CommandContext): Promise<number> {
  const [id = '', signalText = 'SIGTERM'] = ctx.operands;
  const regex = ctx.flags.regex === true;
  if (!regex) checkId(id);
  const signal = parseSignal(signalText);
  if (!regex) return await kill(ctx, id, signal);
  const { forEachId, matchingIds } = await import('../container/matching.ts');
  return await forEachId(matchingIds(ctx.global.root, id), (match) => kill(ctx, match, signal));
}

async function kill(ctx: CommandContext, id: string, signal: number): Promise<number> {
  const state = readState(ctx.global.root, id);
  const status = statusOf(state);
  if (status === 'creating') {
    throw new RuntsError('E_WRONG_STATE', `cannot kill container ${id} that is still being created`, {
      hint: `end it with: runts delete --force ${id}`,
    });
  }
  if (ctx.flags.all === true) {
    // Also when stopped: without a pid namespace of its own, a container's processes outlive its init.
    await signalAll(state, signal);
    return 0;
  }
  if (status === 'stopped' || !(await signalInit(state, signal))) throw notRunning();
  return 0;
}
