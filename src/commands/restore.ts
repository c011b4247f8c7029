/**
 * `runts restore`: a container of what `checkpoint` saved; in the foreground unless --detach, as the container's parent.
 *
 * @module
 */

import { closeSync } from '#files';
import type { CommandContext } from '../cli/types.ts';
import { Interruption } from '../container/interruption.ts';
import { prepare } from '../container/prepare.ts';
import { restoreFlags } from '../criu/options.ts';
import { restoreContainer } from '../criu/restore.ts';
import { log } from '../log.ts';

export async function run(ctx: CommandContext): Promise<number> {
  const [id] = ctx.operands as [string];
  const foreground = ctx.flags.detach !== true;
  const flags = restoreFlags(ctx.flags);
  if (process.geteuid?.() !== 0)
    log.warn('restore needs root, or a CRIU that was given CAP_CHECKPOINT_RESTORE');
  const interruption = new Interruption(foreground);
  const prepared = await prepare(ctx, { id, mode: 'run', foreground, dryRun: false });
  if (!foreground) {
    const { lock, notify } = await restoreContainer(ctx, prepared, flags, interruption);
    lock.release();
    // It was ready when it was saved, and says so once: nobody is to wait for that.
    if (notify !== null) closeSync(notify.socket);
    return 0;
  }
  if (ctx.flags['no-subreaper'] !== true) {
    const { becomeSubreaper } = await import('../../ffi/processes.ts');
    becomeSubreaper();
  }
  const restored = await restoreContainer(ctx, prepared, flags, interruption);
  restored.lock.release();
  if (restored.notify !== null) {
    const { proxyNotifications } = await import('../container/notify.ts');
    // Beside the wait for its end, which ends this too.
    void proxyNotifications(restored.notify, restored.pid, false);
  }
  const { superviseForeground } = await import('../container/foreground.ts');
  return superviseForeground(restored, interruption.caught, { keep: ctx.flags.keep === true });
}
