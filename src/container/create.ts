/**
 * Carries out a plan: every step of the parent, in the plan's order, against a running executor.
 *
 * @module
 */

import { Program } from '../../ffi/program.ts';
import { ensureRoot } from '../cli/root.ts';
import type { CommandContext } from '../cli/types.ts';
import { RuntsError } from '../errors.ts';
import { log } from '../log.ts';
import { planInto } from '../plan/create.ts';
import type { HostStep } from '../plan/types.ts';
import { Unexpected } from './channel.ts';
import { abandon, Creation } from './creation.ts';
import { initialState } from './initial-state.ts';
import type { Interruption } from './interruption.ts';
import type { Lock } from './lock.ts';
import type { NotifyProxy } from './notify.ts';
import type { Prepared } from './prepare.ts';
import type { ContainerState } from './state.ts';
import { perform } from './steps.ts';

/** A container that has come up; the lock is held, unless it was let go of for poststart hooks. */
export interface Created {
  state: ContainerState;
  lock: Lock;
  /** Pid of init, a child of this process. */
  pid: number;
  /** Our end of the socket that got the terminal's master, when the terminal is relayed here. */
  console: number | null;
  /** The container's sd_notify socket, when this process listens on it. */
  notify: NotifyProxy | null;
}

/** A step, or what a step is for this one command alone. */
export type Step = HostStep | ((creation: Creation) => void | Promise<void>);

/**
 * Brings the container up: to the pause before execve for `create`, through execve for `run`. On failure everything
 * that was made is removed, and so it is when a signal ends it.
 */
export async function createContainer(
  ctx: CommandContext,
  prepared: Prepared,
  interruption: Interruption,
): Promise<Created> {
  return await carryOut(ctx, prepared, prepared.plan.host, interruption);
}

/** {@link createContainer}, by other steps than the plan's. */
export async function carryOut(
  ctx: CommandContext,
  prepared: Prepared,
  steps: readonly Step[],
  interruption: Interruption,
): Promise<Created> {
  for (const warning of prepared.plan.warnings) log.warn(warning);
  ensureRoot(ctx.global);
  const creation = new Creation(prepared, initialState(ctx, prepared), interruption);
  interruption.begin();
  try {
    for (const step of steps) {
      if (typeof step === 'function') await step(creation);
      else if (prepared.trace === undefined) await perform(creation, step);
      else await prepared.trace.step(step, () => perform(creation, step));
    }
    await interruption.check();
  } catch (error) {
    // A hook that was killed for it, or a process of ours that a key of the terminal has hit too, fails because of it.
    const failure = (await interruption.failure()) ?? (await explain(error, creation));
    await abandon(creation);
    throw failure;
  }
  creation.channel?.close();
  creation.scope?.close();
  creation.netDevices?.close();
  const { state, init, console, notify } = creation;
  return { state, lock: creation.lock!, pid: init, console, notify };
}

/** What went wrong, for the user. What killed init stands in the cgroup's counters, which are gone with it. */
async function explain(error: unknown, { cgroup, state, prepared }: Creation): Promise<unknown> {
  const failure = error instanceof Unexpected ? await executorFailure(error, prepared) : error;
  if (failure instanceof RuntsError && failure.details.field?.startsWith('mounts[')) {
    const { explainMount } = await import('./diagnose.ts');
    return explainMount(failure, prepared.spec);
  }
  if (cgroup === null || !(failure instanceof RuntsError && failure.code === 'E_INIT')) return failure;
  const { oomFailure } = await import('../cgroup/oom.ts');
  return oomFailure(state.cgroup!) ?? failure;
}

/** The tape says what to do, but not why: planned again as a program, it says where the failed operation comes from. */
async function executorFailure({ report }: Unexpected, prepared: Prepared): Promise<RuntsError> {
  const { initFailure } = await import('./failure.ts');
  const { spec, options, facts, trace } = prepared;
  const program = trace === undefined ? new Program() : trace.measure(new Program());
  return initFailure(report, planInto(program, spec, options, facts).program, spec.process?.args ?? []);
}
