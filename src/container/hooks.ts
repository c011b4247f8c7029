/**
 * The hooks of a container, each in the namespaces and with the rights that the specification gives its phase.
 *
 * @module
 */

import { closeSync, constants, openSync } from '#files';
import { socketPair } from '../../ffi/descriptors.ts';
import { pidfdOpen } from '../../ffi/processes.ts';
import { type Report, readReport } from '../../ffi/report.ts';
import { endChild, reapExecutor } from '../../ffi/spawn.ts';
import { spawnProgram } from '../../ffi/spawn-program.ts';
import { notRunning } from '../errors.ts';
import { PHASES } from '../hooks/phases.ts';
import { type HookPhase, runHooks } from '../hooks/run.ts';
import { type HookCommand, hookPipes, startError } from '../hooks/spawn.ts';
import type { HookProcess } from '../hooks/supervise.ts';
import { planHook } from '../plan/hook.ts';
import type { MemberOptions } from '../plan/member.ts';
import { TAG } from '../plan/protocol.ts';
import type { Hook } from '../spec/types.ts';
import { outputOf } from './annotated.ts';
import { Channel } from './channel.ts';
import { initFailure } from './failure.ts';
import type { Interruption } from './interruption.ts';
import { memberFacts, memberOptions, settingsFromOutside } from './member.ts';
import { openCgroupNamespace, place } from './place.ts';
import { type ContainerState, cgroupDirectory, hasMountNamespace } from './state.ts';
import { ociState } from './status.ts';

/**
 * Runs all hooks of a phase for a container whose init is there. Throws E_HOOK as runHooks does.
 *
 * @param interruption - kills the hook that is running
 */
export async function runContainerHooks(
  phase: HookPhase,
  hooks: readonly Hook[],
  state: ContainerState,
  interruption?: Interruption,
): Promise<void> {
  const rules = PHASES[phase];
  const inside = rules.namespaces === 'container';
  // createContainer's programs are the host's, startContainer's are the image's
  const confined = phase === 'startContainer';
  const confinement = confined ? await confinementOf(state) : null;
  // A container that was started may end whenever it likes. One that was not has been killed, and waits for nobody.
  const init = phase === 'poststart' || state.init === null ? undefined : pidfdOpen(state.init.pid);
  try {
    await runHooks(phase, withDefaults(phase, hooks, state), ociState(state, rules.status), {
      cwd: confined ? '/' : phase === 'createContainer' ? state.rootfs : undefined,
      spawn: inside ? (command) => spawnInside(command, state, confinement) : undefined,
      output: await outputOf(state),
      init,
      onEnding: interruption && ((end) => interruption.onEnding(end)),
    });
  } finally {
    if (init !== undefined) closeSync(init);
  }
}

/** A hook of the container's own image gets the environment of its command when it says nothing. */
function withDefaults(phase: HookPhase, hooks: readonly Hook[], state: ContainerState): readonly Hook[] {
  if (phase !== 'startContainer') return hooks;
  return hooks.map((hook) => (hook.env === undefined ? { ...hook, env: state.process.env ?? [] } : hook));
}

/** What makes a hook a process of the container like its command. */
interface Confinement {
  as: MemberOptions;
  /** Sets what a process that is ready has no right to set for itself. */
  setFromOutside: (pid: number) => void;
  /** Gives the seccomp agent the listener of a process that has loaded the filter; absent without an agent. */
  handListener?: (channel: Channel, pid: number) => void;
}

async function confinementOf(state: ContainerState): Promise<Confinement> {
  const as = await memberOptions(state, state.process);
  const confinement: Confinement = {
    as,
    setFromOutside: await settingsFromOutside(state, state.process),
  };
  if (as.seccomp?.notify === true) {
    const { handListenerToAgent } = await import('../seccomp/notify.ts');
    confinement.handListener = (channel, pid) =>
      handListenerToAgent(channel, pid, state.seccompListener!, state, 'created');
  }
  return confinement;
}

/** Starts a hook in the container's namespaces and cgroup; confined as its command is, unless that is null. */
function spawnInside(
  command: HookCommand,
  state: ContainerState,
  confinement: Confinement | null,
): HookProcess {
  const init = state.init === null ? undefined : pidfdOpen(state.init.pid);
  if (init === undefined) throw notRunning();
  const handed: Record<string, number> = { init };
  const pipes = hookPipes(command.output);
  const [report, reporter] = socketPair();
  handed.sync = reporter;
  let started = false;
  let pid = 0;
  try {
    if (state.cgroup !== null) {
      handed.cgroup = openSync(cgroupDirectory(state.cgroup), constants.O_RDONLY | constants.O_DIRECTORY);
    }
    openCgroupNamespace(state, handed);
    const input = {
      ...command,
      cwd: command.cwd ?? '/',
      root: confinement !== null && !hasMountNamespace(state) ? state.rootfs : undefined,
      namespaces: state.namespaces,
      cgroup: state.cgroup !== null,
      as: confinement?.as ?? null,
    };
    const program = planHook(input, memberFacts(state, confinement?.as.process ?? {}));
    const executor = spawnProgram(program, {
      handed,
      report: 'sync',
      streams: pipes.theirs,
      name: 'runts-hook',
    });
    closeSync(reporter);
    delete handed.sync;
    const handListener = confinement?.handListener;
    const failed = (found: Report | null): Error => {
      if (pid === 0) {
        reapExecutor(executor);
        reapUnheard(report);
      }
      if (handListener !== undefined) return initFailure(found, program, []);
      return startError(command.path, found ?? GONE, program);
    };
    const channel = new Channel(report, failed);
    const born = channel.expect(TAG.INIT, TAG.INIT_UNPLACED);
    pid = Number(born.value);
    reapExecutor(executor);
    if (born.tag === TAG.INIT_UNPLACED && state.cgroup !== null) {
      place(pid, cgroupDirectory(state.cgroup), state);
      channel.go();
    }
    if (confinement !== null) {
      channel.expect(TAG.READY);
      confinement.setFromOutside(pid);
      channel.go();
    }
    if (handListener !== undefined) {
      handListener(channel, pid);
      channel.go();
    }
    const failure = readReport(report);
    if (failure !== null) throw startError(command.path, failure, program);
    started = true;
    return { pid, ...pipes.ours };
  } catch (error) {
    // One that nobody reaps would keep its pid namespace, and so the container's init.
    if (pid > 0) endChild(pid);
    throw error;
  } finally {
    closeSync(report);
    for (const fd of Object.values(handed)) closeSync(fd);
    if (started) pipes.closeTheirs();
    else pipes.closeAll();
  }
}

/**
 * Reaps a hook that failed before its executor could say its pid: a pid namespace, and so the container's init, does not
 * end before the last of its processes is reaped.
 */
function reapUnheard(report: number): void {
  for (;;) {
    const late = readReport(report);
    if (late === null) return;
    if (late.type === 'note' && (late.tag === TAG.INIT || late.tag === TAG.INIT_UNPLACED))
      reapExecutor(Number(late.value));
  }
}

/** What a killed executor would have said. */
const GONE = { type: 'fail', index: 0, errno: 3, text: '' } as const;
