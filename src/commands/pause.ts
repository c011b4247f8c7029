/**
 * `runts pause`: stops every process of a container until `resume`.
 *
 * @module
 */

import { freeze } from '../cgroup/freeze.ts';
import type { CommandContext } from '../cli/types.ts';
import { cgroupOf, find, whileAlive } from '../container/running.ts';
import { cgroupDirectory } from '../container/state.ts';
import { notRunning } from '../errors.ts';

export async function run(ctx: CommandContext): Promise<number> {
  const { state, status } = find(ctx.global.root, ctx.operands[0] ?? '');
  if (status === 'paused') return 0;
  if (status !== 'running' && status !== 'created') throw notRunning();
  await whileAlive(state, () => freeze(cgroupDirectory(cgroupOf(state))));
  return 0;
}
