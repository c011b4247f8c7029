/**
 * The hooks of a container, each in the namespaces and with the rights that the specification gives its phase.
 *
 * @module
 */

import { closeSync, constants, openSync } from '#files';
import { socketPair } from '../../ffi/descriptors.ts';
import { pidfdOpen } from '../../ffi/processes.ts';
import { type Report, readReport } from '../../ffi/report.ts';
import { reapExecutor } from '../../ffi/spawn.ts';
import { spawnProgram } from '../../ffi/spawn-program.ts';
import { notRunning } from '../errors.ts';
import { PHASES } from '../hooks/phases.ts';
import { type HookPhase, runHooks } from '../hooks/run.ts';
import { type HookCommand, hookPipes, startError } from '../hooks/spawn.ts';
import type { HookProcess } from '../hooks/supervise.ts';
import { hasCloseRange, lastCapability, setgroupsDenied } from '../linux/facts.ts';
import { planHook } from '../plan/hook.ts';
import { TAG } from '../plan/protocol.ts';
import type { CompiledFilter } from '../plan/seccomp.ts';
import type { Hook } from '../spec/types.ts';
import { keepsGroups, outputOf } from './annotated.ts';
import { Channel } from './channel.ts';
import { initFailure } from './failure.ts';
import { openCgroupNamespace, place } from './place.ts';
import { type ContainerState, cgroupDirectory, hasMountNamespace, stateDirectory } from './state.ts';
import { ociState } from './status.ts';

/** Runs all hooks of a phase for a container whose init is there. Throws E_HOOK as runHooks does. */
export async function runContainerHooks(
  phase: HookPhase,
  hooks: readonly Hook[],
  state: ContainerState,
): Promise<void> {
  const rules = PHASES[phase];
  const inside = rules.namespaces === 'container';
  // createContainer's programs are the host's, startContainer's are the image's
  const confined = phase === 'startContainer';
  const keepGroups = confined && (await keepsGroups(state));
  const seccomp = confined && state.seccompFilter !== null ? await enforcedFilter(state) : undefined;
  // A container that was started may end whenever it likes. One that was not has been killed, and waits for nobody.
  const init = phase === 'poststart' || state.init === null ? undefined : pidfdOpen(state.init.pid);
  try {
    await runHooks(phase, withDefaults(phase, hooks, state), ociState(state, rules.status), {
      cwd: confined ? '/' : phase === 'createContainer' ? state.rootfs : undefined,
      spawn: inside ? (command) => spawnInside(command, state, { confined, keepGroups }, seccomp) : undefined,
      output: await outputOf(state),
      init,
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

interface EnforcedFilter {
  filter: CompiledFilter;
  /** Gives the agent the listener of a process that has loaded the filter. */
  handListener: (channel: Channel, pid: number) => void;
}

/** The container's system call filter, which its image's hooks are under like its command. */
async function enforcedFilter(state: ContainerState): Promise<EnforcedFilter> {
  const { savedFilter } = await import('../seccomp/filter.ts');
  const filter = savedFilter(stateDirectory(state.rootPath, state.id), state.id);
  if (!filter.notify) return { filter, handListener: () => {} };
  const { handListenerToAgent } = await import('../seccomp/notify.ts');
  const hand = handListenerToAgent;
  return {
    filter,
    handListener: (channel, pid) => hand(channel, pid, state.seccompListener!, state, 'created'),
  };
}

/** Starts a hook in the container's namespaces and cgroup; `confined` with the rights of its command. */
function spawnInside(
  command: HookCommand,
  state: ContainerState,
  { confined, keepGroups }: { confined: boolean; keepGroups: boolean },
  seccomp: EnforcedFilter | undefined,
): HookProcess {
  const init = state.init === null ? undefined : pidfdOpen(state.init.pid);
  if (init === undefined) throw notRunning();
  const handed: Record<string, number> = { init };
  const pipes = hookPipes(command.output);
  const [report, reporter] = socketPair();
  handed.sync = reporter;
  let started = false;
  try {
    if (state.cgroup !== null) {
      handed.cgroup = openSync(cgroupDirectory(state.cgroup), constants.O_RDONLY | constants.O_DIRECTORY);
    }
    openCgroupNamespace(state, handed);
    const program = planHook({
      ...command,
      cwd: command.cwd ?? '/',
      root: confined && !hasMountNamespace(state) ? state.rootfs : undefined,
      namespaces: state.namespaces,
      cgroup: state.cgroup !== null,
      as: confined ? state.process : null,
      keepGroups,
      seccomp: seccomp?.filter,
      lastCapability: lastCapability(),
      setgroupsDenied: setgroupsDenied(),
      closeRange: hasCloseRange(),
    });
    const executor = spawnProgram(program, {
      handed,
      report: 'sync',
      streams: pipes.theirs,
      name: 'runts-hook',
    });
    closeSync(reporter);
    delete handed.sync;
    const failed = (found: Report | null): Error => {
      reapExecutor(executor);
      reapUnheard(report);
      return startError(command.path, found ?? GONE, program);
    };
    const agent = seccomp?.filter.notify === true;
    const channel = new Channel(report, agent ? (found) => initFailure(found, program, []) : failed);
    const born = channel.expect(TAG.INIT, TAG.INIT_UNPLACED);
    const pid = Number(born.value);
    if (born.tag === TAG.INIT_UNPLACED && state.cgroup !== null) {
      place(pid, cgroupDirectory(state.cgroup), state);
      channel.go();
    }
    if (agent) {
      seccomp.handListener(channel, pid);
      channel.go();
    }
    reapExecutor(executor);
    const failure = readReport(report);
    if (failure !== null) {
      reapExecutor(pid);
      throw startError(command.path, failure, program);
    }
    started = true;
    return { pid, ...pipes.ours };
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
