/**
 * `runts start`: runs the command of a created container.
 *
 * @module
 */

import { closeSync } from '#files';
import type { CommandContext } from '../cli/types.ts';
import { checkId } from '../container/id.ts';
import { lockContainer } from '../container/lock.ts';
import type { NotifyProxy } from '../container/notify.ts';
import { relock } from '../container/relock.ts';
import { killAndWait } from '../container/signal.ts';
import { release } from '../container/start.ts';
import { type ContainerState, readState, stateDirectory } from '../container/state.ts';
import { type Status, statusOf } from '../container/status.ts';
import { traced } from '../container/traced.ts';
import { RuntsError } from '../errors.ts';

export async function run(ctx: CommandContext): Promise<number> {
  const [id] = ctx.operands as [string];
  checkId(id);
  readState(ctx.global.root, id);
  const { state, notify } = await traced(ctx, (trace) => {
    const start = (): Promise<Started> => startAndCallHooks(ctx, id);
    return trace === undefined ? start() : trace.around('start', start);
  });
  if (notify !== undefined) {
    const { proxyNotifications } = await import('../container/notify.ts');
    await proxyNotifications(notify, state.init?.pid ?? 0, true);
  }
  return 0;
}

/** A container whose command runs. */
interface Started {
  state: ContainerState;
  /** What this process listens on for the container. */
  notify: NotifyProxy | undefined;
}

/** The socket for the container's sd_notify(3): bound before its command can use it. */
async function listen(directory: string): Promise<NotifyProxy | undefined> {
  const host = process.env.NOTIFY_SOCKET;
  if (!host) return undefined;
  const { bindNotifySocket, notifyFolder } = await import('../container/notify.ts');
  return bindNotifySocket(notifyFolder(directory), host);
}

async function startAndCallHooks(ctx: CommandContext, id: string): Promise<Started> {
  const lock = lockContainer(stateDirectory(ctx.global.root, id));
  let started: Started;
  try {
    started = await startLocked(ctx, id);
  } finally {
    lock.release();
  }
  // Without the lock: a hook may change the container, and one that hangs must not be in the way of its end.
  await callHooks('poststart', started.state, async (state) => {
    const again = relock(state);
    if (again === undefined) return;
    await killAndWait(state).finally(again.release);
  });
  return started;
}

async function startLocked(ctx: CommandContext, id: string): Promise<Started> {
  const state = readState(ctx.global.root, id);
  requireCreated(statusOf(state));
  const notify = await listen(stateDirectory(ctx.global.root, id));
  try {
    await callHooks('startContainer', state, killAndWait);
    release(state);
    return { state, notify };
  } catch (error) {
    if (notify !== undefined) closeSync(notify.socket);
    throw error;
  }
}

/** Hooks whose failure ends the container; runtime.md, Lifecycle. */
async function callHooks(
  phase: 'startContainer' | 'poststart',
  state: ContainerState,
  end: (state: ContainerState) => Promise<void>,
): Promise<void> {
  const hooks = state.hooks[phase];
  if (hooks.length === 0) return;
  const { runContainerHooks } = await import('../container/hooks.ts');
  try {
    await runContainerHooks(phase, hooks, state);
  } catch (error) {
    await end(state);
    throw error;
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
