/**
 * `runts resume`: lets a paused container go on.
 *
 * @module
 */

import { thaw } from '../cgroup/freeze.ts';
import type { CommandContext } from '../cli/types.ts';
import { cgroupOf, find } from '../container/running.ts';
import { cgroupDirectory } from '../container/state.ts';
import { notRunning, RuntsError } from '../errors.ts';

export function run(ctx: CommandContext): number {
  const { state, status } = find(ctx.global.root, ctx.operands[0] ?? '');
  if (status === 'stopped' || status === 'creating') throw notRunning();
  if (status !== 'paused') throw new RuntsError('E_WRONG_STATE', 'container not paused');
  thaw(cgroupDirectory(cgroupOf(state)));
  return 0;
}
