/**
 * Carries out a plan: every step of the parent, in the plan's order, against a running executor.
 *
 * @module
 */

import {
  closeSync,
  existsSync,
  constants as fsConstants,
  openSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from '#files';
import { AT, S } from '../../ffi/constants/index.ts';
import { socketPair } from '../../ffi/descriptors.ts';
import { executorFile } from '../../ffi/executor-file.ts';
import { syscall } from '../../ffi/local.ts';
import { Program } from '../../ffi/program.ts';
import { planDescriptors, reapExecutor, spawnExecutor } from '../../ffi/spawn.ts';
import { image } from '../../ffi/tape.ts';
import { type CreatedCgroup, checkUnused, createCgroup, undoCreate } from '../cgroup/create.ts';
import { enableControllers } from '../cgroup/enable.ts';
import { enterCgroup } from '../cgroup/processes.ts';
import type { Scope } from '../cgroup/systemd/scope.ts';
import { errnoText } from '../cli/present.ts';
import { ensureRoot } from '../cli/root.ts';
import type { CommandContext } from '../cli/types.ts';
import { errnoOf, RuntsError } from '../errors.ts';
import type { MovedDevices } from '../linux/net-devices.ts';
import { log } from '../log.ts';
import { basename, dirname, join } from '../paths.ts';
import { planInto } from '../plan/create.ts';
import { mountLabelOf } from '../plan/labels.ts';
import { TAG } from '../plan/protocol.ts';
import { FILTER_NAME } from '../plan/seccomp.ts';
import type { HostStep } from '../plan/types.ts';
import type { Hooks } from '../spec/types.ts';
import { SPEC_VERSION } from '../version.ts';
import { Channel, Unexpected } from './channel.ts';
import { destroy, runPoststop } from './destroy.ts';
import { type Lock, lockContainer } from './lock.ts';
import type { NotifyProxy } from './notify.ts';
import type { Prepared } from './prepare.ts';
import { identify } from './process.ts';
import {
  type CgroupState,
  type ContainerState,
  cgroupDirectory,
  hasMountNamespace,
  makeStateDirectory,
  STATE_VERSION,
  timestamp,
  writeState,
} from './state.ts';

/** A container that has come up; the lock is held. */
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

type StepOf<Name extends HostStep['step']> = Extract<HostStep, { step: Name }>;

/** A step, or what a step is for this one command alone. */
export type Step = HostStep | ((creation: Creation) => void | Promise<void>);

/** What is there so far. */
export class Creation {
  readonly prepared: Prepared;
  readonly state: ContainerState;
  lock: Lock | null = null;
  cgroup: CreatedCgroup | null = null;
  /** The unit that holds the cgroup, with the systemd manager. */
  scope: Scope | null = null;
  /** Descriptors to hand over, by name in the program. */
  readonly handed: Record<string, number> = {};
  channel: Channel | null = null;
  console: number | null = null;
  notify: NotifyProxy | null = null;
  netDevices: MovedDevices | null = null;
  executor = 0;
  init = 0;

  constructor(
    prepared: Prepared,
    state: ContainerState,
    readonly beforeCommand: () => void,
  ) {
    this.prepared = prepared;
    this.state = state;
  }

  closeHanded(): void {
    for (const fd of Object.values(this.handed)) closeSync(fd);
    for (const name of Object.keys(this.handed)) delete this.handed[name];
  }
}

/** Every step's action. */
const ACTIONS: {
  [Name in HostStep['step']]: (creation: Creation, step: StepOf<Name>) => void | Promise<void>;
} = {
  state: async (creation) => {
    const { id, cgroup } = creation.state;
    makeStateDirectory(creation.state.rootPath, id);
    creation.lock = lockContainer(creation.prepared.options.stateDir);
    // `delete` kills what is in the cgroup that the state names: that must never be somebody else's.
    if (cgroup !== null && existsSync(cgroupDirectory(cgroup))) checkUnused(cgroupDirectory(cgroup));
    // Before anything is made that a killed runtime would leave behind: what `delete --force` then removes stands here.
    if (!hasMountNamespace(creation.state)) {
      const { mountsAt } = await import('../linux/mountinfo.ts');
      creation.state.mountsBefore = mountsAt(creation.state.rootfs);
    }
    writeState(creation.state);
  },

  cgroup: (creation, step) => {
    const mountpoint = creation.prepared.facts.cgroupMount ?? '';
    creation.cgroup = createCgroup(mountpoint, step.path, new Set(step.controllers));
    creation.handed.cgroup = openSync(
      creation.cgroup.directory,
      fsConstants.O_RDONLY | fsConstants.O_DIRECTORY,
    );
  },

  scope: async (creation, step) => {
    const { startScope } = await import('../cgroup/systemd/scope.ts');
    const cgroup = creation.state.cgroup!;
    // From here on there may be a unit to remove.
    creation.cgroup = { directory: cgroupDirectory(cgroup), made: [] };
    creation.scope = startScope(step, creation.init, creation.prepared.spec.annotations ?? {});
    cgroup.path = creation.scope.path;
    creation.cgroup.directory = cgroupDirectory(cgroup);
    writeState(creation.state);
    if (step.subgroup !== undefined) {
      const { enterBelow } = await import('../cgroup/enter.ts');
      creation.cgroup.directory = enterBelow(creation.cgroup.directory, step.subgroup, creation.init);
      cgroup.path += `/${step.subgroup}`;
      writeState(creation.state);
    }
    enableControllers(cgroup.mountpoint, cgroup.path, new Set(step.controllers));
  },

  delegatedCgroup: async (creation, step) => {
    const { enterBelow } = await import('../cgroup/enter.ts');
    const { directory } = creation.cgroup!;
    enterBelow(directory, step.path, creation.init, step.uid);
    creation.state.cgroup!.delegated = step.path;
  },

  cgroupOwner: async (creation, step) => {
    const { delegateCgroup } = await import('../cgroup/delegate.ts');
    delegateCgroup(creation.cgroup!.directory, step.uid);
  },

  cgroupLimits: async (creation, step) => {
    const { applyWrites } = await import('../cgroup/apply.ts');
    const cgroup = creation.state.cgroup!;
    creation.scope?.setLimits(step.writes, creation.state.resources?.devices);
    applyWrites(cgroup, step.writes);
    // A limit below what is in use succeeds, and costs init its life.
    if (step.writes.some(({ file }) => file === 'memory.max')) {
      const { oomFailure } = await import('../cgroup/oom.ts');
      const failure = oomFailure(cgroup);
      if (failure !== undefined) throw failure;
    }
  },

  deviceRules: async (creation, step) => {
    const { applyDeviceRules } = await import('../cgroup/devices/apply.ts');
    applyDeviceRules(creation.cgroup!.directory, step.rules);
  },

  seccompFilter: (creation) => creation.prepared.seccomp!.save(creation.prepared.options.stateDir),

  seccompListener: async (creation) => {
    const { handListenerToAgent } = await import('../seccomp/notify.ts');
    const { seccompListener } = creation.state;
    handListenerToAgent(creation.channel!, creation.init, seccompListener!, creation.state, 'creating');
  },

  fifo: (creation, step) => {
    syscall('mknodat', [AT.FDCWD, step.path, S.IFIFO | 0o600, 0]);
    // Opened for both directions: that never blocks, and a reader that is also a writer never sees end of file.
    if (step.path.endsWith('/exec.fifo')) creation.handed.start = openSync(step.path, fsConstants.O_RDWR);
    else {
      // Only a writer: when it is closed at execve, `start` sees end of file.
      const reader = openSync(step.path, fsConstants.O_RDONLY | fsConstants.O_NONBLOCK);
      creation.handed.result = openSync(step.path, fsConstants.O_WRONLY);
      closeSync(reader);
    }
  },

  console: async (creation, step) => {
    if (creation.prepared.options.consoleSocket !== undefined) {
      const { connectUnix } = await import('../linux/socket.ts');
      creation.handed.console = connectUnix(step.path, `--console-socket: cannot connect to ${step.path}`);
    } else {
      [creation.console, creation.handed.console] = socketPair();
    }
  },

  spawn: (creation) => {
    const { options, plan } = creation.prepared;
    const [sync, theirs] = socketPair();
    creation.handed.sync = theirs;
    if (creation.prepared.trace !== undefined) creation.handed.trace = creation.prepared.trace.descriptor();
    creation.channel = new Channel(sync);
    const fds = planDescriptors(creation.handed, options.preserveFds);
    const tape = plan.program.finish({ fds: fds.numbers, reportFd: fds.numbers.sync! });
    const executor = executorFile();
    creation.executor = spawnExecutor({ image: image(executor, tape), fds: fds.fds, keep: fds.keep });
    creation.closeHanded();
  },

  await: (creation, step) => {
    if (step.note !== 'INIT' && step.note !== 'INIT_UNPLACED') {
      creation.channel!.expect(TAG[step.note]);
      return;
    }
    const note = creation.channel!.expect(TAG.INIT, TAG.INIT_UNPLACED);
    creation.init = Number(note.value);
    creation.state.init = identify(creation.init) ?? null;
    if (note.tag === TAG.INIT_UNPLACED && step.note === 'INIT') {
      // Where CLONE_INTO_CGROUP was refused: a write, and the wait for a grace period that comes with it.
      enterCgroup(creation.init, creation.cgroup!.directory, 'linux.cgroupsPath');
      creation.channel!.go();
    }
    reapExecutor(creation.executor);
    creation.executor = 0;
  },

  idMaps: async (creation) => {
    const { writeIdMaps } = await import('../linux/idmaps.ts');
    const linux = creation.prepared.spec.linux ?? {};
    await writeIdMaps(creation.executor, linux.uidMappings ?? [], linux.gidMappings ?? []);
  },

  userNamespace: async (creation, step) => {
    const { makeUserNamespace } = await import('../linux/user-namespace.ts');
    creation.handed[step.name] = await makeUserNamespace(step.uid, step.gid, step.field);
  },

  copyUp: async (creation, step) => {
    const { copyUp } = await import('./copy-up.ts');
    copyUp(creation.channel!, step);
  },

  saveState: (creation, step) => {
    creation.state.phase = step.status;
    writeState(creation.state);
  },

  hooks: async (creation, step) => {
    const hooks = (creation.prepared.spec.hooks as Hooks | undefined)?.[step.phase] ?? [];
    const { runContainerHooks } = await import('./hooks.ts');
    await runContainerHooks(step.phase, hooks, creation.state);
  },

  limits: async (creation) => {
    const { setLimits } = await import('../linux/limits.ts');
    setLimits(creation.init, creation.prepared.spec.process?.rlimits ?? []);
  },

  scheduling: async (creation) => {
    const { setScheduling } = await import('../linux/scheduling.ts');
    setScheduling(creation.init, creation.prepared.spec.process!);
  },

  resctrl: async (creation) => {
    const { applyResctrl, resctrlRoot, resctrlState } = await import('../linux/resctrl.ts');
    const { state } = creation;
    const rdt = creation.prepared.spec.linux!.intelRdt!;
    // The state first, so that `delete` finds what a killed runtime leaves.
    state.resctrl = resctrlState(resctrlRoot(), state.id, rdt);
    writeState(state);
    applyResctrl(state.resctrl, rdt, creation.init);
  },

  netDevices: async (creation) => {
    const { moveNetDevices } = await import('../linux/net-devices.ts');
    creation.netDevices = moveNetDevices(creation.prepared.spec.linux!.netDevices!, creation.init);
  },

  notifySocket: async (creation, step) => {
    const { bindNotifySocket, makeNotifyFolder } = await import('./notify.ts');
    makeNotifyFolder(step.path);
    const host = process.env.NOTIFY_SOCKET;
    if (step.bind && host) creation.notify = bindNotifySocket(step.path, host) ?? null;
  },

  pidfdSocket: async (creation, step) => {
    const { sendPidfd } = await import('./pidfd-socket.ts');
    sendPidfd(step.path, creation.init, 'standard');
  },

  pidFile: (creation, step) => writePidFile(step.path, creation.init),

  execed: (creation) => creation.channel!.expectExec(),

  go: (creation, step) => {
    if (step.command === true) creation.beforeCommand();
    creation.channel!.go();
  },
};

/**
 * Brings the container up: to the pause before execve for `create`, through execve for `run`. On failure everything
 * that was made is removed. `beforeCommand` is called before anything of the container can run.
 */
export async function createContainer(
  ctx: CommandContext,
  prepared: Prepared,
  beforeCommand?: () => void,
): Promise<Created> {
  return await carryOut(ctx, prepared, prepared.plan.host, beforeCommand);
}

/** {@link createContainer}, by other steps than the plan's. */
export async function carryOut(
  ctx: CommandContext,
  prepared: Prepared,
  steps: readonly Step[],
  beforeCommand: () => void = () => {},
): Promise<Created> {
  for (const warning of prepared.plan.warnings) log.warn(warning);
  ensureRoot(ctx.global);
  const creation = new Creation(prepared, initialState(ctx, prepared), beforeCommand);
  try {
    for (const step of steps) {
      if (typeof step === 'function') await step(creation);
      else if (prepared.trace === undefined) await perform(creation, step);
      else await prepared.trace.step(step, () => perform(creation, step));
    }
  } catch (error) {
    const failure = await explain(error, creation);
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

/** Takes one step of the parent. */
export function perform<Name extends HostStep['step']>(
  creation: Creation,
  step: StepOf<Name>,
): void | Promise<void> {
  const action = ACTIONS[step.step as Name] as (
    creation: Creation,
    step: StepOf<Name>,
  ) => void | Promise<void>;
  return action(creation, step);
}

function initialState(ctx: CommandContext, prepared: Prepared): ContainerState {
  const { spec, options, facts } = prepared;
  const linux = spec.linux ?? {};
  return {
    stateVersion: STATE_VERSION,
    id: options.id,
    phase: 'creating',
    creator: identify('self') ?? { pid: process.pid, startTime: 0 },
    init: null,
    cgroup: options.cgroupPath === null ? null : cgroupState(options, facts.cgroupMount ?? ''),
    ociVersion: SPEC_VERSION,
    bundle: options.bundle,
    rootfs: options.rootfs,
    rootPath: ctx.global.root,
    created: timestamp(),
    owner: facts.euid,
    annotations: spec.annotations ?? {},
    hooks: {
      startContainer: spec.hooks?.startContainer ?? [],
      poststart: spec.hooks?.poststart ?? [],
      poststop: spec.hooks?.poststop ?? [],
    },
    process: spec.process!,
    namespaces: linux.namespaces ?? [],
    uidMappings: linux.uidMappings ?? [],
    gidMappings: linux.gidMappings ?? [],
    mountLabel: mountLabelOf(spec, facts),
    personality: linux.personality,
    memoryPolicy: linux.memoryPolicy,
    resources: linux.resources ?? null,
    ...seccompState(prepared),
    rootless: facts.euid !== 0,
    noPivot: options.noPivot,
    noNewKeyring: options.noNewKeyring,
  };
}

/** What `exec` needs of the filter. */
function seccompState({
  spec,
  seccomp,
}: Prepared): Pick<ContainerState, 'seccompFilter' | 'seccompListener'> {
  if (seccomp === undefined) return { seccompFilter: null };
  const { listenerPath = '', listenerMetadata } = spec.linux!.seccomp!;
  if (!seccomp.filter.notify) return { seccompFilter: FILTER_NAME };
  return { seccompFilter: FILTER_NAME, seccompListener: { path: listenerPath, metadata: listenerMetadata } };
}

function cgroupState({ cgroupPath, scope }: Prepared['options'], mountpoint: string): CgroupState {
  const path = cgroupPath ?? '';
  if (scope === undefined) return { manager: 'cgroupfs', mountpoint, path };
  return { manager: 'systemd', mountpoint, path, unit: scope.unit, user: scope.user };
}

/** Digits only, and complete from the first moment on: callers parse it as soon as it is there. */
export function writePidFile(path: string, pid: number): void {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}`);
  try {
    writeFileSync(temporary, String(pid), { flag: 'wx', mode: 0o644 });
    renameSync(temporary, path);
  } catch (error) {
    try {
      unlinkSync(temporary);
    } catch {
      // it was never made
    }
    throw new RuntsError('E_SYSCALL', `--pid-file: write ${path}: ${errnoText(error)}`, {
      syscall: 'write',
      errno: errnoOf(error),
      cause: error,
    });
  }
}

/** Undoes what was done. The error that led here is the one to tell, so nothing is thrown. */
async function abandon(creation: Creation): Promise<void> {
  const { state } = creation;
  creation.closeHanded();
  // End of file on the socket ends whatever of the executor waits for us.
  creation.channel?.close();
  if (creation.console !== null) closeSync(creation.console);
  if (creation.notify !== null) closeSync(creation.notify.socket);
  creation.netDevices?.giveBack();
  creation.netDevices?.close();
  for (const pid of [creation.executor, creation.init]) if (pid > 0) killChild(pid);
  if (creation.lock === null) return;
  try {
    await destroy(state.rootPath, state.id, {
      init: state.init,
      cgroup: creation.cgroup === null ? null : state.cgroup,
      resctrl: state.resctrl,
      rootfs: state.rootfs,
      mountsBefore: state.mountsBefore,
    });
    if (creation.cgroup !== null) undoCreate(creation.cgroup);
  } catch (error) {
    log.warn(
      `cannot remove all of container ${state.id}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  creation.lock.release();
  if (creation.init > 0) await runPoststop(state);
}

/** A child that is not reaped keeps its pid, so this can't hit another process. */
function killChild(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended
  }
  reapExecutor(pid);
}
