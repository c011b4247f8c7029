/**
 * `runts pause`: stops every process of a container until `resume`.
 *
 * @module
 */

import { freeze } from '../cgroup/freeze.ts';
import type { CommandContext } from '../cli/types.ts';
import { cgroupOf, find } from '../container/running.ts';
import { cgroupDirectory } from '../container/state.ts';
import { notRunning } from '../errors.ts';

export function run(ctx: CommandContext): number {
  const { state, status } = find(ctx.global.root, ctx.operands[0] ?? '');
  if (status === 'paused') return 0;
  if (status !== 'running' && status !== 'created') throw notRunning();
  freeze(cgroupDirectory(cgroupOf(state)));
  return 0;
}
