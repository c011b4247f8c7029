/**
 * `runts create`: makes a container up to the point where its command only needs to be told to start.
 *
 * @module
 */

import type { CommandContext } from '../cli/types.ts';
import { createContainer } from '../container/create.ts';
import { Interruption } from '../container/interruption.ts';
import { prepareTraced } from '../container/prepare.ts';
import { traced } from '../container/traced.ts';

export async function run(ctx: CommandContext): Promise<number> {
  const [id] = ctx.operands as [string];
  return await traced(ctx, async (trace) => {
    const intent = { id, mode: 'create', foreground: false, dryRun: false } as const;
    const prepared = await prepareTraced(ctx, intent, trace);
    const { lock } = await createContainer(ctx, prepared, new Interruption(false));
    lock.release();
    return 0;
  });
}
