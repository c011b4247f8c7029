/**
 * A further process in a running container.
 *
 * @module
 */

import { closeSync, constants, openSync } from '#files';
import { TapeWriter } from '#tape-writer';
import { O } from '../../ffi/constants/index.ts';
import { socketPair } from '../../ffi/descriptors.ts';
import { executorFile } from '../../ffi/executor-file.ts';
import { pidfdOpen } from '../../ffi/processes.ts';
import { Program } from '../../ffi/program.ts';
import { endChild, planDescriptors, reapExecutor, spawnExecutor } from '../../ffi/spawn.ts';
import { image } from '../../ffi/tape.ts';
import { errnoText } from '../cli/present.ts';
import { errnoOf, RuntsError } from '../errors.ts';
import { openInRoot, withRoot } from '../linux/in-root.ts';
import { readRegular } from '../linux/regular-file.ts';
import { log } from '../log.ts';
import { type JoinOptions, planJoinInto } from '../plan/join.ts';
import { TAG } from '../plan/protocol.ts';
import type { HostFacts } from '../plan/types.ts';
import type { Process } from '../spec/types.ts';
import type { Trace } from '../trace.ts';
import { Channel, Unexpected } from './channel.ts';
import { memberFacts, memberOptions, settingsFromOutside } from './member.ts';
import { writePidFile } from './pid-file.ts';
import { openCgroupNamespace, place } from './place.ts';
import { openProcess } from './process-fd.ts';
import { type ContainerState, cgroupDirectory } from './state.ts';

export interface ExecOptions {
  process: Process;
  /** Where the terminal goes; with process.terminal and without it, it is relayed by the caller of execIn. */
  consoleSocket?: string;
  pidFile?: string;
  /** Gets a pidfd of the process. */
  pidfdSocket?: string;
  /** Path of a cgroup below the container's own. */
  cgroup?: string;
  preserveFds: number;
  /** Called before the command runs. */
  beforeCommand?: () => void;
  /** With --trace. */
  trace?: Trace;
}

export interface Executed {
  /** A child of this process. */
  pid: number;
  pidfd: number;
  /** Our end of the socket with the terminal's master, when it is relayed here. */
  console: number | null;
}

/** Starts a process in the container; returns once its execve has succeeded. */
export async function execIn(state: ContainerState, options: ExecOptions): Promise<Executed> {
  const { trace } = options;
  const init = openInit(state);
  const handed: Record<string, number> = { init };
  let console: number | null = null;
  let channel: Channel | null = null;
  let pid = 0;
  let join: JoinOptions | undefined;
  let facts: HostFacts | undefined;
  try {
    const cgroup = openCgroup(state, options.cgroup);
    if (cgroup !== null) handed.cgroup = cgroup.fd;
    openCgroupNamespace(state, handed);
    if (options.process.terminal === true) {
      if (options.consoleSocket !== undefined) {
        const { connectUnix } = await import('../linux/socket.ts');
        handed.console = connectUnix(
          options.consoleSocket,
          `--console-socket: cannot connect to ${options.consoleSocket}`,
        );
      } else [console, handed.console] = socketPair();
    }
    join = {
      ...(await memberOptions(state, options.process)),
      rootfs: state.rootfs,
      cgroup: cgroup !== null,
      preserveFds: options.preserveFds,
    };
    const setFromOutside = await settingsFromOutside(state, options.process);
    facts = {
      ...memberFacts(state, options.process),
      passwd: needsHome(options.process) ? containerFile(state, 'etc/passwd') : undefined,
    };
    const writer = new TapeWriter(facts.machine);
    const measured = trace === undefined ? writer : trace.measure(writer);
    const { program, warnings } = planJoinInto(measured, join, facts);
    for (const warning of warnings) log.warn(warning);
    const [sync, theirs] = socketPair();
    handed.sync = theirs;
    if (trace !== undefined) handed.trace = trace.descriptor();
    channel = new Channel(sync);
    const { numbers, fds, keep } = planDescriptors(handed, options.preserveFds);
    const tape = program.finish({ fds: numbers, reportFd: numbers.sync! });
    const executor = spawnExecutor({ image: image(executorFile(), tape), fds, keep });
    for (const name of Object.keys(handed)) {
      if (name !== 'init') closeSync(handed[name]!);
    }
    const born = channel.expect(TAG.INIT, TAG.INIT_UNPLACED);
    pid = Number(born.value);
    reapExecutor(executor);
    if (born.tag === TAG.INIT_UNPLACED && cgroup !== null) {
      place(pid, cgroup.path, state);
      channel.go();
    }
    if (join.seccomp?.notify === true) {
      const { handListenerToAgent } = await import('../seccomp/notify.ts');
      handListenerToAgent(channel, pid, state.seccompListener!, state, 'running');
      channel.go();
    }
    channel.expect(TAG.READY);
    setFromOutside(pid);
    if (options.pidfdSocket !== undefined) {
      const { sendPidfd } = await import('./pidfd-socket.ts');
      sendPidfd(options.pidfdSocket, pid, 'setns');
    }
    options.beforeCommand?.();
    channel.go();
    channel.expect(TAG.EXECUTING);
    channel.expectExec();
    // After the terminal was sent and the command runs: callers take the file as the sign of success.
    if (options.pidFile !== undefined) writePidFile(options.pidFile, pid);
    const pidfd = pidfdOpen(pid);
    if (pidfd === undefined) throw new RuntsError('E_EXEC', 'the process is gone');
    return { pid, pidfd, console };
  } catch (error) {
    if (console !== null) closeSync(console);
    if (pid > 0) endChild(pid);
    const { hasEnded } = await import('./ended.ts');
    if (hasEnded(state, init, error)) throw stoppedError(error);
    if (!(error instanceof Unexpected)) throw error;
    // The tape doesn't say what its operations are for: planned again as a program, it does.
    const { initFailure } = await import('./failure.ts');
    const program = trace === undefined ? new Program() : trace.measure(new Program());
    planJoinInto(program, join!, facts!);
    throw initFailure(error.report, program, options.process.args ?? []);
  } finally {
    closeSync(init);
    channel?.close();
  }
}

/** Also for a container that ended while the process was on its way in: what failed then is of no interest. */
function stoppedError(cause?: unknown): RuntsError {
  return new RuntsError('E_WRONG_STATE', 'cannot exec in a stopped container', { cause });
}

/** A pidfd of init. */
function openInit(state: ContainerState): number {
  const init = state.init === null ? undefined : openProcess(state.init);
  if (init === undefined) throw stoppedError();
  return init;
}

function openCgroup(state: ContainerState, below: string | undefined): { fd: number; path: string } | null {
  if (state.cgroup === null) return null;
  const own = cgroupDirectory(state.cgroup);
  const path = subCgroup(own, below ?? state.cgroup.delegated ?? '');
  try {
    return { fd: openSync(path, constants.O_RDONLY | constants.O_DIRECTORY), path };
  } catch (error) {
    throw new RuntsError('E_CGROUP', `--cgroup: open ${path}: ${errnoText(error)}`, {
      errno: errnoOf(error),
      hint: 'the path is relative to the container’s cgroup and must exist',
      cause: error,
    });
  }
}

/** A path below the container's cgroup, `[controllers:]path`; nothing leads out of it. */
export function subCgroup(own: string, given: string): string {
  const path = given.includes(':') ? given.slice(given.indexOf(':') + 1) : given;
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.includes('..')) {
    throw new RuntsError(
      'E_CGROUP',
      `--cgroup: ${JSON.stringify(given)} leads out of the container’s cgroup`,
    );
  }
  return [own, ...names].join('/');
}

function needsHome(process: Process): boolean {
  return !(process.env ?? []).some((e) => e.startsWith('HOME=') && e.length > 'HOME='.length);
}

/** The text of a file of the container, resolved inside its root; undefined when it can't be read. */
function containerFile(state: ContainerState, path: string): string | undefined {
  return withRoot(`/proc/${state.init?.pid}/root`, (root) => {
    const fd = openInRoot(root, path, O.RDONLY | O.NONBLOCK);
    if (fd < 0) return undefined;
    try {
      return readRegular(fd);
    } catch {
      return undefined;
    } finally {
      closeSync(fd);
    }
  });
}
