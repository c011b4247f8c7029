/**
 * `runts start`: runs the command of a created container.
 *
 * @module
 */

import type { CommandContext } from '../cli/types.ts';
import { checkId } from '../container/id.ts';
import { lockContainer } from '../container/lock.ts';
import type { NotifyProxy } from '../container/notify.ts';
import { killAndWait } from '../container/signal.ts';
import { release } from '../container/start.ts';
import { readState, stateDirectory } from '../container/state.ts';
import { type Status, statusOf } from '../container/status.ts';
import { traced } from '../container/traced.ts';
import { RuntsError } from '../errors.ts';

export async function run(ctx: CommandContext): Promise<number> {
  const [id] = ctx.operands as [string];
  checkId(id);
  readState(ctx.global.root, id);
  const notify = await listen(stateDirectory(ctx.global.root, id));
  const pid = await traced(ctx, (trace) => {
    const start = (): Promise<number> => startLocked(ctx, id);
    return trace === undefined ? start() : trace.around('start', start);
  });
  if (notify !== undefined) {
    const { proxyNotifications } = await import('../container/notify.ts');
    await proxyNotifications(notify, pid, true);
  }
  return 0;
}

/** The socket for the container's sd_notify(3): bound before its command can use it. */
async function listen(directory: string): Promise<NotifyProxy | undefined> {
  const host = process.env.NOTIFY_SOCKET;
  if (!host) return undefined;
  const { bindNotifySocket, notifyFolder } = await import('../container/notify.ts');
  return bindNotifySocket(notifyFolder(directory), host);
}

/** @returns pid of init */
async function startLocked(ctx: CommandContext, id: string): Promise<number> {
  const lock = lockContainer(stateDirectory(ctx.global.root, id));
  try {
    const state = readState(ctx.global.root, id);
    requireCreated(statusOf(state));
    if (state.hooks.startContainer.length > 0) {
      const { runContainerHooks } = await import('../container/hooks.ts');
      try {
        await runContainerHooks('startContainer', state.hooks.startContainer, state);
      } catch (error) {
        await killAndWait(state);
        throw error;
      }
    }
    release(state);
    if (state.hooks.poststart.length > 0) {
      const { runContainerHooks } = await import('../container/hooks.ts');
      try {
        await runContainerHooks('poststart', state.hooks.poststart, state);
      } catch (error) {
        await killAndWait(state);
        throw error;
      }
    }
    return state.init?.pid ?? 0;
  } finally {
    lock.release();
  }
}

/** runtime.md, Start: only a created container can be started. */
function requireCreated(status: Status): void {
  if (status === 'created') return;
  const text = {
    creating: 'cannot start a container that is still being created',
    running: 'cannot start an already running container',
    paused: 'cannot start an already running container',
    stopped: 'cannot start a container that has stopped',
  }[status];
  throw new RuntsError('E_WRONG_STATE', text);
}
