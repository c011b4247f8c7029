/**
 * `runts create`: makes a container up to the point where its command only needs to be told to start.
 *
 * @module
 */

import type { CommandContext } from '../cli/types.ts';
import { createContainer } from '../container/create.ts';
import { prepare } from '../container/prepare.ts';

export async function run(ctx: CommandContext): Promise<number> {
  const [id] = ctx.operands as [string];
  const prepared = await prepare(ctx, { id, mode: 'create', foreground: false, dryRun: false });
  const { lock } = await createContainer(ctx, prepared);
  lock.release();
  return 0;
}
