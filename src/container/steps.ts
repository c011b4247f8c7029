/**
 * What the parent does for each step of a plan.
 *
 * @module
 */

import { closeSync, existsSync, constants as fsConstants, openSync } from '#files';
import { AT, S } from '../../ffi/constants/index.ts';
import { socketPair } from '../../ffi/descriptors.ts';
import { executorFile } from '../../ffi/executor-file.ts';
import { syscall } from '../../ffi/local.ts';
import { planDescriptors, reapExecutor, spawnExecutor } from '../../ffi/spawn.ts';
import { image } from '../../ffi/tape.ts';
import { checkUnused, createCgroup } from '../cgroup/create.ts';
import { enableControllers } from '../cgroup/enable.ts';
import { enterCgroup } from '../cgroup/processes.ts';
import { TAG } from '../plan/protocol.ts';
import type { HostStep } from '../plan/types.ts';
import type { Hooks } from '../spec/types.ts';
import { Channel } from './channel.ts';
import type { Creation } from './creation.ts';
import { lockContainer } from './lock.ts';
import { writePidFile } from './pid-file.ts';
import { identify } from './process.ts';
import { cgroupDirectory, hasMountNamespace, makeStateDirectory, writeState } from './state.ts';

type StepOf<Name extends HostStep['step']> = Extract<HostStep, { step: Name }>;

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
    creation.scope = startScope(step, creation.init, creation.prepared.spec.annotations ?? {}, () => {
      // From here on there may be a unit to remove.
      creation.cgroup = { directory: cgroupDirectory(cgroup), made: [] };
    });
    cgroup.path = creation.scope.path;
    creation.cgroup!.directory = cgroupDirectory(cgroup);
    writeState(creation.state);
    if (step.subgroup !== undefined) {
      const { enterBelow } = await import('../cgroup/enter.ts');
      creation.cgroup!.directory = enterBelow(creation.cgroup!.directory, step.subgroup, creation.init);
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
    // The command runs: its hooks may change the container, and must not be in the way of its end.
    if (step.phase === 'poststart') {
      creation.lock?.release();
      creation.unlocked = true;
    }
    const { runContainerHooks } = await import('./hooks.ts');
    await runContainerHooks(step.phase, hooks, creation.state, creation.interruption);
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

  go: async (creation, step) => {
    await creation.interruption.check();
    if (step.command === true) creation.interruption.commandRuns();
    creation.channel!.go();
  },
};

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
