/**
 * Making a container of its images: everything around it is made as for `create`, its processes by CRIU, in the
 * container's cgroup and as children of this process.
 *
 * @module
 */

import { closeSync, openSync, readlinkSync, realpathSync, rmdirSync } from '#files';
import { AT, O } from '../../ffi/constants/index.ts';
import { syscall } from '../../ffi/local.ts';
import { utf8 } from '../../ffi/text.ts';
import { enterCgroup } from '../cgroup/processes.ts';
import { errnoText } from '../cli/present.ts';
import type { CommandContext } from '../cli/types.ts';
import { type Created, carryOut, type Step } from '../container/create.ts';
import type { Creation } from '../container/creation.ts';
import type { Interruption } from '../container/interruption.ts';
import type { Prepared } from '../container/prepare.ts';
import { identify } from '../container/process.ts';
import { perform } from '../container/steps.ts';
import { errnoOf, RuntsError } from '../errors.ts';
import { openInRoot, withRoot } from '../linux/in-root.ts';
import { sendDescriptors } from '../linux/socket.ts';
import { log } from '../log.ts';
import { planCgroup } from '../plan/cgroup.ts';
import { netDevices } from '../plan/create.ts';
import { defaultDevicePaths } from '../plan/devices.ts';
import { FILTER_NAME } from '../plan/seccomp.ts';
import type { HostStep } from '../plan/types.ts';
import type { LinuxNamespace, Spec } from '../spec/types.ts';
import { configFile, EXTERNAL_NAMESPACES, LOG_LEVEL, openFolder } from './dump.ts';
import { criuFailure } from './failure.ts';
import { type CriuOptions, type CriuResponse, REQUEST } from './messages.ts';
import { restoredMounts } from './mounts.ts';
import { removeLock } from './network-lock.ts';
import { type ImageFlags, makeFolder } from './options.ts';
import { type Criu, requireVersion, type StartingCriu, startCriu } from './process.ts';
import { planRestoreRoot } from './root.ts';
import { CriuGone, call, type Notification } from './rpc.ts';
import { checkImages, readStreams } from './streams.ts';

const LOG = 'restore.log';
/** Hooks of the create operation that run when the namespaces are there, as with runc. */
const HOOKS = ['prestart', 'createRuntime'] as const;

/** A restore on its way. */
interface Restore {
  flags: ImageFlags;
  /** What is in the image folder besides CRIU's. */
  streams: ReturnType<typeof readStreams>;
  /** Descriptors for CRIU by name, to be closed. */
  handed: Record<string, number>;
  starting?: StartingCriu;
  /** Folder on which the root is mounted. */
  place: string;
}

/**
 * Restores a container. On failure everything that was made is removed, and so it is when a signal ends it.
 */
export async function restoreContainer(
  ctx: CommandContext,
  prepared: Prepared,
  flags: ImageFlags,
  interruption: Interruption,
): Promise<Created> {
  // Read first: without images nothing needs to be made.
  checkImages(flags.imagePath);
  const streams = readStreams(flags.imagePath);
  checkNetDevices(prepared.spec, flags);
  const restore: Restore = { flags, streams, handed: {}, place: `${prepared.options.stateDir}/criu-root` };
  try {
    return await carryOut(ctx, prepared, steps(prepared, restore), interruption);
  } finally {
    for (const fd of Object.values(restore.handed)) closeSync(fd);
  }
}

/** CRIU makes a saved network namespace with devices of its own: only into an empty one can others be moved. */
function checkNetDevices(spec: Spec, { options }: ImageFlags): void {
  if (!movesNetDevices(spec) || options.emptyNs !== 0) return;
  throw new RuntsError('E_UNSUPPORTED', 'linux.netDevices: CRIU can’t restore devices of the host', {
    field: 'linux.netDevices',
    hint: 'give --empty-ns network to checkpoint and to restore: they are moved in again',
  });
}

/** Those of a shared namespace are still in there. */
function movesNetDevices(spec: Spec): boolean {
  if (netDevices(spec).length === 0) return false;
  return spec.linux?.namespaces?.some(({ type, path }) => type === 'network' && !path) ?? false;
}

function steps(prepared: Prepared, restore: Restore): Step[] {
  const { spec, options } = prepared;
  const cgroup = planCgroup(spec, options);
  const list: Step[] = [{ step: 'state', path: options.stateDir }];
  if (options.notifyFolder !== undefined) {
    list.push({ step: 'notifySocket', path: options.notifyFolder, bind: true });
  }
  if (options.seccomp !== undefined) {
    list.push({ step: 'seccompFilter', path: `${options.stateDir}/${FILTER_NAME}` });
  }
  list.push(...cgroup.before);
  if (spec.process?.terminal === true) {
    list.push({ step: 'console', path: options.consoleSocket ?? '(foreground)' });
  }
  list.push((creation) => start(creation, restore), ...cgroup.withInit);
  if (spec.linux?.intelRdt !== undefined) list.push({ step: 'resctrl' });
  list.push((creation) => carryOn(creation, restore, cgroup.limits));
  list.push((creation) => creation.closeHanded());
  list.push({ step: 'saveState', status: 'created' });
  if (options.pidfdSocket !== undefined) list.push({ step: 'pidfdSocket', path: options.pidfdSocket });
  if (options.pidFile !== undefined) list.push({ step: 'pidFile', path: options.pidFile });
  return list;
}

/** Starts CRIU, which is to be in the container's cgroup: what it makes is there from birth. */
function start(creation: Creation, restore: Restore): void {
  const { spec, options, facts } = creation.prepared;
  syscall('mkdirat', [AT.FDCWD, restore.place, 0o700]);
  const handed: Record<string, number> = {};
  for (const { type, path } of spec.linux?.namespaces ?? []) {
    const known = EXTERNAL_NAMESPACES[type];
    if (path && known !== undefined) handed[known.key] = openNamespace(type, path);
  }
  restore.handed = handed;
  restore.starting = startCriu({
    streams: true,
    handed,
    prepare: (program) =>
      planRestoreRoot(program, {
        rootfs: options.rootfs,
        bundle: options.bundle,
        mounts: spec.mounts ?? [],
        place: restore.place,
        missingTargets: facts.missingTargets,
      }),
  });
  // For the scope, which needs a process, and so that it is ended when something fails.
  creation.init = restore.starting.pid;
  if (creation.cgroup !== null) enterCgroup(creation.init, creation.cgroup.directory, 'linux.cgroupsPath');
}

function openNamespace(type: string, path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    throw new RuntsError('E_INIT', `linux.namespaces: ${type}: open ${path}: ${errnoText(error)}`, {
      field: 'linux.namespaces',
      errno: errnoOf(error),
      hint: 'the namespace that the container shared must be there again',
      cause: error,
    });
  }
}

/** Has CRIU restore, and does what it asks for. */
async function carryOn(creation: Creation, restore: Restore, limits: readonly HostStep[]): Promise<void> {
  const { flags } = restore;
  const { pid, numbers, ready, begin } = restore.starting!;
  if (flags.workPath !== undefined) makeFolder(flags.workPath);
  ready();
  // As CRIU's own mount namespace has them: it works in there, and could mount nothing in another's folder.
  const openThere = (path: string): number => openFolder(`/proc/${pid}/root${withoutLinks(path)}`);
  const images = openThere(flags.imagePath);
  const work = flags.workPath === undefined ? undefined : openThere(flags.workPath);
  let criu: Criu | undefined;
  try {
    criu = await begin();
    const opts = restoreOptions(creation, restore, { criu, numbers, images, work });
    log.debug(() => `criu ${criu!.version}: ${JSON.stringify(opts)}`);
    await requestRestore(creation, restore, criu, opts, limits);
  } finally {
    criu?.end();
    // Reaped: its number may be another's by now.
    if (creation.init === criu?.pid) creation.init = 0;
    closeSync(images);
    if (work !== undefined) closeSync(work);
  }
  // Its mount went with CRIU's namespace.
  rmdirSync(restore.place);
}

/** An absolute link on the way would lead to this process's root, not to CRIU's: containerd's work folder has one. */
function withoutLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path; // opening it tells why
  }
}

interface Surroundings {
  criu: Criu;
  numbers: Readonly<Record<string, number>>;
  images: number;
  work: number | undefined;
}

function restoreOptions(
  creation: Creation,
  { flags, place, streams }: Restore,
  { criu, numbers, images, work }: Surroundings,
): CriuOptions {
  const { spec, options } = creation.prepared;
  if (flags.options.lsmProfile !== undefined) requireVersion(criu, 31_600, '--lsm-profile');
  if (flags.options.lsmMountContext !== undefined) requireVersion(criu, 31_600, '--lsm-mount-context');
  const { inherited, mounts } = streams;
  const { cgroup } = creation.state;
  return {
    ...flags.options,
    imagesDirFd: images,
    ...(work === undefined ? {} : { workDirFd: work }),
    evasiveDevices: true,
    logLevel: LOG_LEVEL,
    logFile: LOG,
    rstSibling: true,
    root: place,
    notifyScripts: true,
    orphanPtsMaster: true,
    ...configFile(creation.state.annotations),
    ...(cgroup === null ? {} : { cgRoot: [{ ctrl: '', path: cgroup.path }] }),
    extMnt: restoredMounts({
      mounts: spec.mounts ?? [],
      devices: [...defaultDevicePaths(), ...(spec.linux?.devices ?? []).map(({ path }) => path)],
      bundle: options.bundle,
      names: mounts,
      resolve: (destination) => resolveIn(options.rootfs, destination),
    }),
    ...joined(spec.linux?.namespaces ?? [], criu, numbers, inherited),
  };
}

/** Namespaces that are there: those that CRIU knows by a descriptor, and those that it joins by path. */
function joined(
  namespaces: readonly LinuxNamespace[],
  criu: Criu,
  numbers: Readonly<Record<string, number>>,
  inherited: readonly { key: string; fd: number }[],
): Pick<CriuOptions, 'inheritFd' | 'joinNs'> {
  const inheritFd = [...inherited];
  const joinNs: { ns: string; nsFile: string }[] = [];
  const names: Record<string, string> = { ipc: 'ipc', uts: 'uts', user: 'user', mount: 'mnt', time: 'time' };
  for (const { type, path } of namespaces) {
    if (!path) continue;
    const known = EXTERNAL_NAMESPACES[type];
    if (known !== undefined) {
      requireVersion(criu, known.least, `linux.namespaces: a shared ${type} namespace`);
      inheritFd.push({ key: known.key, fd: numbers[known.key]! });
    } else if (names[type] !== undefined) {
      joinNs.push({ ns: names[type], nsFile: path });
    } else {
      throw new RuntsError('E_UNSUPPORTED', `linux.namespaces: CRIU can’t join a ${type} namespace`, {
        field: 'linux.namespaces',
      });
    }
  }
  return { inheritFd, joinNs };
}

/** Where a path of the container leads, as the kernel sees it in the root; itself where that is nowhere. */
function resolveIn(rootfs: string, path: string): string {
  const inside = withRoot(rootfs, (root) => {
    const fd = openInRoot(root, path, O.PATH);
    if (fd < 0) return undefined;
    try {
      const found = readlinkSync(`/proc/self/fd/${fd}`);
      return found.startsWith(`${rootfs}/`) ? found.slice(rootfs.length) : undefined;
    } finally {
      closeSync(fd);
    }
  });
  return inside ?? path;
}

async function requestRestore(
  creation: Creation,
  { flags, streams }: Restore,
  criu: Criu,
  opts: CriuOptions,
  limits: readonly HostStep[],
): Promise<void> {
  const fail = (response?: CriuResponse): RuntsError =>
    criuFailure({
      what: 'restore',
      response,
      log: `${flags.workPath ?? flags.imagePath}/${LOG}`,
      printed: '',
    });
  let response: CriuResponse;
  try {
    response = await call(criu.socket, { type: REQUEST.RESTORE, opts }, (notification) =>
      notified(creation, notification, limits, streams.lock),
    );
  } catch (error) {
    throw error instanceof CriuGone ? fail() : error;
  }
  if (!response.success) throw fail(response);
}

/** What CRIU asks for on the way; everything else is none of the runtime's business. */
async function notified(
  creation: Creation,
  { script, pid, fds }: Notification,
  limits: readonly HostStep[],
  lock: string | undefined,
): Promise<void> {
  switch (script) {
    case 'setup-namespaces': {
      const { spec } = creation.prepared;
      setInit(creation, pid);
      if (movesNetDevices(spec)) await perform(creation, { step: 'netDevices', names: netDevices(spec) });
      for (const phase of HOOKS) {
        const count = spec.hooks?.[phase]?.length ?? 0;
        if (count > 0) await perform(creation, { step: 'hooks', phase, count });
      }
      return;
    }
    case 'orphan-pts-master':
      sendMaster(creation, fds);
      return;
    case 'post-restore':
      setInit(creation, pid);
      addTimeNamespace(creation);
      if (lock !== undefined) removeLock(lock, pid);
      // The memory is back, and nothing runs yet: what CRIU itself needs is not measured against the limits.
      for (const step of limits) await perform(creation, step);
      await perform(creation, { step: 'saveState', status: 'creating' });
      await creation.interruption.check();
      creation.interruption.commandRuns();
      return;
  }
}

function setInit(creation: Creation, pid: number): void {
  creation.state.init = identify(pid) ?? null;
  creation.init = pid;
}

/** CRIU restores into a time namespace, so that clocks go on where they were: `exec` must join it. */
function addTimeNamespace({ state, init }: Creation): void {
  if (state.namespaces.some(({ type }) => type === 'time')) return;
  try {
    if (readlinkSync(`/proc/${init}/ns/time`) === readlinkSync('/proc/self/ns/time')) return;
  } catch {
    return;
  }
  state.namespaces = [...state.namespaces, { type: 'time' }];
}

/** The terminal's master, to whoever has it: as when the container was created. */
function sendMaster(creation: Creation, fds: readonly number[]): void {
  const [master] = fds;
  const socket = creation.handed.console;
  if (master === undefined || socket === undefined) {
    throw new RuntsError('E_TTY', 'the checkpoint has a terminal, but process.terminal is not true', {
      field: 'process.terminal',
    });
  }
  sendDescriptors(socket, utf8('/dev/ptmx'), [master], '--console-socket');
}
