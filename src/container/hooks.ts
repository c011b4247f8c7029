/**
 * The hooks of a container, each in the namespaces and with the rights that the specification gives its phase.
 *
 * @module
 */

import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { socketPair } from '../../ffi/descriptors.ts';
import { assetPath, currentMachine } from '../../ffi/engine.ts';
import { pidfdOpen } from '../../ffi/processes.ts';
import { readReport } from '../../ffi/report.ts';
import { planDescriptors, reapExecutor, spawnExecutor } from '../../ffi/spawn.ts';
import { assemble, image } from '../../ffi/tape.ts';
import { notRunning } from '../errors.ts';
import { PHASES } from '../hooks/phases.ts';
import { type HookPhase, runHooks } from '../hooks/run.ts';
import { type HookCommand, hookPipes, startError } from '../hooks/spawn.ts';
import type { HookProcess } from '../hooks/supervise.ts';
import { lastCapability } from '../linux/facts.ts';
import { planHook } from '../plan/hook.ts';
import type { Hook } from '../spec/types.ts';
import { type ContainerState, cgroupDirectory } from './state.ts';
import { ociState } from './status.ts';

/** Runs all hooks of a phase for a container whose init is there. Throws E_HOOK as runHooks does. */
export async function runContainerHooks(
  phase: HookPhase,
  hooks: readonly Hook[],
  state: ContainerState,
): Promise<void> {
  const rules = PHASES[phase];
  const inside = rules.namespaces === 'container';
  await runHooks(phase, withDefaults(phase, hooks, state), ociState(state, rules.status), {
    cwd: phase === 'startContainer' ? '/' : phase === 'createContainer' ? state.rootfs : undefined,
    spawn: inside ? (command) => spawnInside(phase, command, state) : undefined,
  });
}

/** A hook of the container's own image gets the environment of its command when it says nothing. */
function withDefaults(phase: HookPhase, hooks: readonly Hook[], state: ContainerState): readonly Hook[] {
  if (phase !== 'startContainer') return hooks;
  return hooks.map((hook) => (hook.env === undefined ? { ...hook, env: state.process.env ?? [] } : hook));
}

/** Starts a hook in the container's namespaces and cgroup. */
function spawnInside(phase: HookPhase, command: HookCommand, state: ContainerState): HookProcess {
  const init = state.init === null ? undefined : pidfdOpen(state.init.pid);
  if (init === undefined) throw notRunning();
  const handed: Record<string, number> = { init };
  const pipes = hookPipes();
  const [report, reporter] = socketPair();
  handed.report = reporter;
  let failed = true;
  try {
    if (state.cgroup !== null) {
      handed.cgroup = openSync(cgroupDirectory(state.cgroup), constants.O_RDONLY | constants.O_DIRECTORY);
    }
    const program = planHook({
      ...command,
      cwd: command.cwd ?? '/',
      namespaces: state.namespaces,
      cgroup: state.cgroup !== null,
      // createContainer's programs are the host's, startContainer's are the image's
      as: phase === 'startContainer' ? state.process : null,
      lastCapability: lastCapability(),
    });
    const { numbers, fds } = planDescriptors(handed, 0);
    const tape = assemble(program, { machine: currentMachine(), fds: numbers, reportFd: numbers.report! });
    const executor = spawnExecutor({
      image: image(readFileSync(assetPath('executor')), tape),
      fds: [...pipes.theirs, ...fds],
      name: 'runts-hook',
    });
    closeSync(reporter);
    delete handed.report;
    const first = readReport(report);
    reapExecutor(executor);
    if (first?.type !== 'note') throw startError(command.path, first ?? GONE, program);
    const pid = Number(first.value);
    const failure = readReport(report);
    if (failure !== null) {
      reapExecutor(pid);
      throw startError(command.path, failure, program);
    }
    failed = false;
    return { pid, ...pipes.ours };
  } finally {
    closeSync(report);
    for (const fd of Object.values(handed)) closeSync(fd);
    if (failed) pipes.closeAll();
    else pipes.closeTheirs();
  }
}

/** What a killed executor would have said. */
const GONE = { type: 'fail', index: 0, errno: 3, text: '' } as const;
