/**
 * `runts run`: create and start in one; in the foreground unless --detach, as the container's parent.
 *
 * @module
 */

import type { CommandContext } from '../cli/types.ts';
import { type Created, createContainer } from '../container/create.ts';
import { Interruption } from '../container/interruption.ts';
import { prepareTraced } from '../container/prepare.ts';
import { traced } from '../container/traced.ts';

export async function run(ctx: CommandContext): Promise<number> {
  const [id] = ctx.operands as [string];
  const foreground = ctx.flags.detach !== true;
  const interruption = new Interruption(foreground);
  const create = (): Promise<Created> =>
    traced(ctx, async (trace) => {
      const prepared = await prepareTraced(ctx, { id, mode: 'run', foreground, dryRun: false }, trace);
      return await createContainer(ctx, prepared, interruption);
    });
  if (foreground && ctx.flags['no-subreaper'] !== true) {
    // Orphans of a container without a pid namespace become our children, so that we see the last one end.
    const { becomeSubreaper } = await import('../../ffi/processes.ts');
    becomeSubreaper();
  }
  if (!foreground) {
    const { lock, notify, pid } = await create();
    lock.release();
    if (notify !== null) {
      // The container is there: a signal ends the wait for it to be ready, and nothing else.
      interruption.caught.release();
      const { proxyNotifications } = await import('../container/notify.ts');
      await proxyNotifications(notify, pid, true);
    }
    return 0;
  }
  const created = await create();
  created.lock.release();
  if (created.notify !== null) {
    const { proxyNotifications } = await import('../container/notify.ts');
    // Beside the wait for its end, which ends this too.
    void proxyNotifications(created.notify, created.pid, false);
  }
  const { superviseForeground } = await import('../container/foreground.ts');
  return superviseForeground(created, interruption.caught, { keep: ctx.flags.keep === true });
}
