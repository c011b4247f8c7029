/**
 * `runts resume`: lets a paused container go on.
 *
 * @module
 */

import { thaw } from '../cgroup/freeze.ts';
import type { CommandContext } from '../cli/types.ts';
import { cgroupOf, find, whileAlive } from '../container/running.ts';
import { cgroupDirectory } from '../container/state.ts';
import { notRunning, RuntsError } from '../errors.ts';

export async function run(ctx: CommandContext): Promise<number> {
  const { state, status } = find(ctx.global.root, ctx.operands[0] ?? '');
  if (status === 'stopped' || status === 'creating') throw notRunning();
  if (status !== 'paused') throw new RuntsError('E_WRONG_STATE', 'container not paused');
  await whileAlive(state, () => thaw(cgroupDirectory(cgroupOf(state))));
  return 0;
}
