/**
 * Carries out the plans of `mounts add` and `mounts remove`.
 *
 * @module
 */

import { closeSync } from '#files';
import { socketPair } from '../../ffi/descriptors.ts';
import { Program } from '../../ffi/program.ts';
import { reapExecutor } from '../../ffi/spawn.ts';
import { spawnProgram } from '../../ffi/spawn-program.ts';
import { notRunning, RuntsError } from '../errors.ts';
import { runtimeFacts } from '../linux/facts.ts';
import { log } from '../log.ts';
import {
  type HotMountOptions,
  type HotMountPlan,
  planAddMounts,
  planRemoveMounts,
} from '../plan/hot-mounts.ts';
import { TAG } from '../plan/protocol.ts';
import type { HostFacts } from '../plan/types.ts';
import type { Mount, Spec } from '../spec/types.ts';
import { Channel, Unexpected } from './channel.ts';
import { openCgroupNamespace } from './place.ts';
import { openProcess } from './process-fd.ts';
import type { ContainerState } from './state.ts';

/**
 * Adds mounts; when one can't be made, those before it are removed again.
 *
 * @throws RuntsError E_INIT, E_CONFIG_INVALID, E_UNSUPPORTED, E_NOT_RUNNING
 */
export async function addMounts(state: ContainerState, mounts: readonly Mount[]): Promise<void> {
  const { facts, options } = inputs(state, mounts);
  const plan = planAddMounts(new Program(), options, facts);
  for (const warning of plan.warnings) log.warn(warning);
  try {
    await perform(state, plan);
  } catch (error) {
    throw await withdrawn(state, mounts, await explained(error, mounts));
  }
}

/** Removes what is mounted at the mounts' destinations. Errors as of {@link addMounts}. */
export async function removeMounts(state: ContainerState, mounts: readonly Mount[]): Promise<void> {
  const { facts, options } = inputs(state, mounts);
  await perform(state, planRemoveMounts(new Program(), options, facts));
}

function inputs(
  state: ContainerState,
  mounts: readonly Mount[],
): { facts: HostFacts; options: HotMountOptions } {
  const { id, bundle, namespaces, uidMappings, gidMappings, mountLabel } = state;
  return {
    facts: runtimeFacts(mounts, bundle),
    options: { id, bundle, namespaces, uidMappings, gidMappings, mountLabel, mounts },
  };
}

async function explained(error: unknown, mounts: readonly Mount[]): Promise<unknown> {
  const { explainMount } = await import('./diagnose.ts');
  return explainMount(error, { ociVersion: '', mounts: [...mounts] } as Spec);
}

/** Removes the mounts up to the one that failed, whose field the error names; gives the error to tell. */
async function withdrawn(state: ContainerState, mounts: readonly Mount[], error: unknown): Promise<unknown> {
  if (!(error instanceof RuntsError)) return error;
  const index = /^mounts\[(\d+)\]/.exec(error.details.field ?? '')?.[1];
  if (index === undefined || index === '0') return error;
  const { facts, options } = inputs(state, mounts.slice(0, Number(index)));
  try {
    await perform(state, planRemoveMounts(new Program(), options, facts, true));
    return error;
  } catch (second) {
    const why = second instanceof Error ? second.message : String(second);
    return new RuntsError(error.code, `${error.message}; the mounts before it are still there: ${why}`, {
      ...error.details,
      hint: undefined,
    });
  }
}

async function perform(state: ContainerState, plan: HotMountPlan): Promise<void> {
  const handed: Record<string, number> = {};
  const init = state.init === null ? undefined : openProcess(state.init);
  if (init === undefined) throw notRunning();
  handed.init = init;
  let sync = -1;
  let channel: Channel | null = null;
  try {
    for (const step of plan.before) {
      if (step.step !== 'userNamespace') continue;
      const { makeUserNamespace } = await import('../linux/user-namespace.ts');
      handed[step.name] = await makeUserNamespace(step.uid, step.gid, step.field);
    }
    openCgroupNamespace(state, handed);
    [sync, handed.sync] = socketPair();
    channel = new Channel(sync);
    const executor = spawnProgram(plan.program, { handed, report: 'sync' });
    closeSync(handed.sync);
    delete handed.sync;
    let pid = 0;
    try {
      pid = Number(channel.expect(TAG.INIT).value);
      for (const step of plan.while) {
        if (step.step !== 'copyUp') continue;
        const { copyUp } = await import('./copy-up.ts');
        copyUp(channel, step);
      }
      channel.expect(TAG.READY);
    } finally {
      reapExecutor(executor);
      if (pid > 0) {
        channel.close();
        channel = null;
        reapExecutor(pid);
      }
    }
  } catch (error) {
    const { hasEnded } = await import('./ended.ts');
    if (hasEnded(state, init, error)) throw notRunning(error);
    if (!(error instanceof Unexpected)) throw error;
    const { initFailure } = await import('./failure.ts');
    throw initFailure(error.report, plan.program, [], 'cannot change the container’s mounts');
  } finally {
    channel?.close();
    for (const fd of Object.values(handed)) closeSync(fd);
  }
}
