/**
 * `runts exec`: a further process in a running container.
 *
 * @module
 */

import { closeSync } from '#files';
import type { CommandContext } from '../cli/types.ts';
import { type Executed, execIn } from '../container/exec.ts';
import { execProcess } from '../container/exec-process.ts';
import { checkId } from '../container/id.ts';
import { preservedFds } from '../container/prepare.ts';
import { readState } from '../container/state.ts';
import { statusOf } from '../container/status.ts';
import { traced } from '../container/traced.ts';
import { RuntsError } from '../errors.ts';
import type { CaughtSignals } from '../terminal/signals.ts';
import type { Trace } from '../trace.ts';

export async function run(ctx: CommandContext): Promise<number> {
  const [id, ...args] = ctx.operands as [string, ...string[]];
  checkId(id);
  const state = readState(ctx.global.root, id);
  const status = statusOf(state);
  if (status === 'stopped' || status === 'creating') {
    throw new RuntsError('E_WRONG_STATE', 'cannot exec in a stopped container');
  }
  if (status === 'paused' && ctx.flags['ignore-paused'] !== true) {
    throw new RuntsError(
      'E_WRONG_STATE',
      'cannot exec in a paused container (use --ignore-paused to override)',
    );
  }
  let process = execProcess(ctx, state, args);
  const detach = ctx.flags.detach === true;
  const consoleSocket = text(ctx, 'console-socket');
  checkTerminal(process.terminal === true, detach, consoleSocket);
  if (process.terminal === true && !detach) {
    const { withHostSize } = await import('../terminal/size.ts');
    process = withHostSize(process);
  }
  const { catchSignals } = await import('../terminal/signals.ts');
  let signals: CaughtSignals | undefined;
  const start = (trace?: Trace): Promise<Executed> =>
    execIn(state, {
      process,
      consoleSocket,
      pidFile: text(ctx, 'pid-file'),
      pidfdSocket: text(ctx, 'pidfd-socket'),
      cgroup: text(ctx, 'cgroup'),
      preserveFds: preservedFds(ctx, false),
      beforeCommand: () => {
        if (!detach) signals = catchSignals();
      },
      trace,
    });
  const executed = await traced(ctx, (trace) =>
    trace === undefined ? start() : trace.around('exec', () => start(trace)),
  );
  if (detach) {
    closeSync(executed.pidfd);
    return 0;
  }
  const { waitInForeground } = await import('../container/foreground.ts');
  return waitInForeground(executed, signals!);
}

function text(ctx: CommandContext, flag: string): string | undefined {
  const value = ctx.flags[flag];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function checkTerminal(terminal: boolean, detach: boolean, consoleSocket: string | undefined): void {
  if (terminal && detach && consoleSocket === undefined) {
    throw new RuntsError('E_TTY', 'cannot allocate tty if runc will detach without setting console socket', {
      hint: 'give --console-socket',
    });
  }
  if (consoleSocket !== undefined && (!terminal || !detach)) {
    throw new RuntsError('E_TTY', 'cannot use console socket if runc will not detach or allocate tty');
  }
}
