/**
 * Running the hooks of one phase, in order, and what to say when one fails.
 *
 * @see runtime-spec 1.3, config.md "POSIX-platform Hooks"
 * @module
 */

import { existsSync } from '#files';
import { utf8 } from '../../ffi/text.ts';
import { RuntsError } from '../errors.ts';
import { signalName } from '../linux/signals.ts';
import { log } from '../log.ts';
import type { HookOutput } from '../spec/annotations.ts';
import type { Hook } from '../spec/types.ts';
import { type HookPhase, PHASES } from './phases.ts';
import type { HookCommand, HookSpawner } from './spawn.ts';
import type { HookOutcome } from './supervise.ts';

export type { HookPhase } from './phases.ts';

export interface RunHooksOptions {
  /** How a hook is started; in the runtime's namespaces when absent. */
  spawn?: HookSpawner;
  /** Where the hooks start, as the spawner sees it: the state's bundle when absent, as with runc's hooks of `create`. */
  cwd?: string;
  /** Files for the hooks' output, which is in no message then. */
  output?: HookOutput;
  /** Pidfd of the container's init, where hooks are of no use without it: they are killed when it dies. */
  init?: number;
  /** Has a function called when the hooks are to end early; what it gives ends that. Absent: they can't be ended. */
  onEnding?: (end: () => void) => Promise<() => void>;
}

/**
 * Runs the hooks of a phase one after the other. It blocks the thread, as while a container is made or removed there is
 * nothing else to do, except where a signal may end the hooks.
 *
 * After a failure the hooks behind it don't run, except in a phase whose failures are only warned of (poststop).
 *
 * @param state - the state that each finds on its standard input, with the status that the phase demands
 * @throws RuntsError E_HOOK with `details.field` `hooks.PHASE[i]`, worded like runc's
 */
export async function runHooks(
  phase: HookPhase,
  hooks: readonly Hook[],
  state: object,
  options: RunHooksOptions = {},
): Promise<void> {
  if (hooks.length === 0) return;
  const spawn = options.spawn ?? (await import('./spawn.ts')).spawnOnHost;
  const { supervise, superviseUntil } = await import('./supervise.ts');
  const input = utf8(JSON.stringify(state));
  const cwd = options.cwd ?? bundleOf(state);
  for (const [index, hook] of hooks.entries()) {
    try {
      const child = spawn({ ...commandOf(hook, cwd), output: options.output });
      const timeoutMs = hook.timeout === undefined ? undefined : hook.timeout * 1000;
      const { init, onEnding } = options;
      const outcome =
        onEnding === undefined
          ? supervise(child, input, timeoutMs, init)
          : await superviseUntil(onEnding, child, input, timeoutMs, init);
      const failure = failureOf(hook, outcome);
      if (failure !== undefined) throw new RuntsError('E_HOOK', failure);
    } catch (error) {
      const failure = hookError(phase, index, hook, error);
      if (PHASES[phase].onFailure === 'abort') throw failure;
      log.warn(failure.message);
    }
  }
}

function bundleOf(state: object): string | undefined {
  return 'bundle' in state && typeof state.bundle === 'string' ? state.bundle : undefined;
}

function commandOf({ path, args, env }: Hook, cwd: string | undefined): HookCommand {
  return { path, argv: args !== undefined && args.length > 0 ? args : [path], env: env ?? [], cwd };
}

/** What is wrong with how a hook ended, in the words of Go's os/exec and of runc; undefined when nothing is. */
export function failureOf(hook: Hook, outcome: HookOutcome): string | undefined {
  const { status, timedOut, orphaned, stdout, stderr } = outcome;
  if (status.code === 0 && !timedOut && !orphaned) return undefined;
  const how = orphaned
    ? 'the container’s init died while it ran'
    : timedOut
      ? `hook ran past specified timeout of ${(hook.timeout ?? 0).toFixed(1)}s`
      : status.signal !== undefined
        ? `signal: ${signalText(status.signal)}`
        : `exit status ${status.code}`;
  return `${how}, stdout: ${stdout}, stderr: ${stderr}`;
}

/** Go's text for the signals that end programs in practice, and the name for the others. */
function signalText(signal: number): string {
  const texts: Readonly<Record<number, string>> = {
    1: 'hangup',
    2: 'interrupt',
    3: 'quit',
    6: 'aborted',
    8: 'floating point exception',
    9: 'killed',
    11: 'segmentation fault',
    13: 'broken pipe',
    15: 'terminated',
  };
  return texts[signal] ?? signalName(signal);
}

/** Adds which hook it was, and the remedy. */
function hookError(phase: HookPhase, index: number, hook: Hook, error: unknown): RuntsError {
  const details = error instanceof RuntsError ? error.details : {};
  const reason = error instanceof Error ? error.message : String(error);
  return new RuntsError('E_HOOK', `error running ${phase} hook #${index}: ${reason}`, {
    field: `hooks.${phase}[${index}]`,
    syscall: details.syscall,
    errno: details.errno,
    // A hint of the cause is in its message already.
    hint: details.hint === undefined ? remedyOf(phase, hook, details.errno) : undefined,
    cause: error,
  });
}

function remedyOf(phase: HookPhase, { path }: Hook, errno: string | undefined): string | undefined {
  switch (errno) {
    case 'ENOENT':
      if (PHASES[phase].path === 'container') return 'the path is looked up in the container';
      return existsSync(path)
        ? 'the interpreter that its first line or its ELF header names is missing'
        : undefined;
    case 'EACCES':
      return 'it must be an executable file, its folders must be searchable, and the file system not mounted noexec';
    case 'ENOEXEC':
      return 'a script needs #! and an interpreter in its first line; a program must be for this machine';
    default:
      return undefined;
  }
}
