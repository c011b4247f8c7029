/**
 * `runts state ID`: prints the container's state as JSON. Reads three small files and loads nothing.
 *
 * @module
 */

import { print } from '../cli/output.ts';
import type { CommandContext } from '../cli/types.ts';
import { checkId } from '../container/id.ts';
import { readState } from '../container/state.ts';
import { stateOutput } from '../container/status.ts';

export async function run(ctx: CommandContext): Promise<number> {
  const id = ctx.operands[0] ?? '';
  checkId(id);
  const state = readState(ctx.global.root, id);
  print(`${JSON.stringify(stateOutput(state), null, 2)}\n`);
  return 0;
}
