/**
 * The `criu` program: finding it, starting it as a worker of one request (`criu swrk FD`), and its version.
 *
 * @module
 */

import { closeSync, openSync, readFileSync } from '#files';
import { errnoName, errnoText, F, FD as FD_FLAG } from '../../ffi/constants/index.ts';
import { memfdCreate, socketPair } from '../../ffi/descriptors.ts';
import { currentMachine } from '../../ffi/engine.ts';
import { executorFile } from '../../ffi/executor-file.ts';
import type { ExitStatus } from '../../ffi/processes.ts';
import { Program, stringArray } from '../../ffi/program.ts';
import type { Report } from '../../ffi/report.ts';
import { planDescriptors, reapExecutor, spawnExecutor } from '../../ffi/spawn.ts';
import { assemble, image } from '../../ffi/tape.ts';
import { Channel } from '../container/channel.ts';
import { initFailure } from '../container/failure.ts';
import { RuntsError } from '../errors.ts';
import { administratorsPath, findProgram, ownEnvironment } from '../linux/programs.ts';
import { FD, TAG, waitForParent } from '../plan/protocol.ts';
import { type CriuResponse, REQUEST } from './messages.ts';
import { CriuGone, call } from './rpc.ts';

/** The RPC has been able to tell its version since then, and everything below relies on that. */
const OLDEST = 30_000;

/**
 * The path of the program.
 *
 * @throws RuntsError E_UNSUPPORTED when it isn't installed
 */
export function findCriu(path?: string): string {
  const file = findProgram('criu', administratorsPath(path));
  if (file !== undefined) return file;
  throw new RuntsError('E_UNSUPPORTED', 'criu: executable file not found in $PATH', {
    errno: 'ENOENT',
    hint: 'checkpoint and restore need CRIU: apt-get install criu, dnf install criu',
  });
}

/** A running `criu swrk`. */
export interface Criu {
  pid: number;
  /** Speaks the RPC. */
  socket: number;
  /** As `31701`. */
  version: number;
  /** What it printed before its log was open, all of it after its end. Empty when it has our standard streams. */
  printed(): string;
  /** Waits for its end; to be called once. */
  end(): ExitStatus | undefined;
}

/** CRIU before its program is executed: it waits, so that it can be put somewhere. */
export interface StartingCriu {
  pid: number;
  /** Waits until it is in its own mount namespace. */
  ready(): void;
  /** Lets it go on. */
  begin(): Promise<Criu>;
  /** Numbers that {@link CriuStart.handed} has there. */
  numbers: Readonly<Record<string, number>>;
}

export interface CriuStart {
  /** What is done in the process before. `finish` appends what must not be run into. */
  prepare?: (program: Program) => { finish(): void };
  /** Descriptors that CRIU gets, by name. */
  handed?: Readonly<Record<string, number>>;
  /** It gets our standard streams; otherwise none, and a session of its own, so that Ctrl-C doesn't reach it. */
  streams: boolean;
}

/** Starts CRIU. @throws RuntsError E_UNSUPPORTED without the program */
export function startCriu({ prepare, handed = {}, streams }: CriuStart): StartingCriu {
  const file = findCriu();
  const open: number[] = [];
  const add = (fd: number): number => {
    open.push(fd);
    return fd;
  };
  const [sync, theirSync] = socketPair();
  const channel = new Channel(sync, (report) => startFailure(report, program, file));
  const [socket, theirSocket] = socketPair();
  add(theirSync);
  add(theirSocket);
  const all: Record<string, number> = { ...handed, sync: theirSync, swrk: theirSocket };
  let output = -1;
  if (!streams) {
    output = memfdCreate('criu');
    all.output = output;
    all.input = add(openSync('/dev/null', 'r'));
  }
  const program = new Program();
  try {
    const { numbers, fds } = planDescriptors(all, 0);
    const standard = [
      { from: all.input!, to: 0 },
      { from: output, to: 1 },
      { from: output, to: 2 },
    ];
    const own = fds.filter(({ from }) => from !== output && from !== all.input);
    planStart(program, file, numbers.swrk!, { prepare, streams });
    const tape = assemble(program, { machine: currentMachine(), fds: numbers, reportFd: numbers.sync! });
    const pid = spawnExecutor({
      image: image(executorFile(), tape),
      fds: streams ? own : [...own, ...standard],
      name: 'runts-criu',
    });
    for (const fd of open) closeSync(fd);
    open.length = 0;
    return {
      pid,
      numbers,
      ready: () => void channel.expect(TAG.READY),
      begin: async () => {
        channel.go();
        channel.expectExec();
        channel.close();
        return await greet({ pid, socket, output });
      },
    };
  } catch (error) {
    for (const fd of open) closeSync(fd);
    throw error;
  }
}

function planStart(
  program: Program,
  file: string,
  socket: number,
  { prepare, streams }: Pick<CriuStart, 'prepare' | 'streams'>,
): void {
  const scratch = program.cell('scratch');
  if (!streams) program.call('setsid', [], { note: 'what ends the caller must not stop it half-way' });
  const prepared = prepare?.(program);
  program.notify(TAG.READY);
  waitForParent(program, scratch, 'until it is in its cgroup');
  program.call('fcntl', [FD.sync, F.SETFD, FD_FLAG.CLOEXEC]);
  program.call('execve', [
    file,
    stringArray(['criu', 'swrk', String(socket)]),
    stringArray(ownEnvironment()),
  ]);
  program.call('exit_group', [255]);
  prepared?.finish();
}

function startFailure(report: Report | null, program: Program, file: string): RuntsError {
  const op = report?.type === 'fail' ? program.ops[report.index] : undefined;
  if (report?.type === 'fail' && op?.kind === 'syscall' && op.name === 'execve') {
    return new RuntsError('E_UNSUPPORTED', `exec ${file}: ${errnoText(report.errno)}`, {
      syscall: 'execve',
      errno: errnoName(report.errno),
    });
  }
  return initFailure(report, program, [], 'cannot prepare for criu');
}

/** Asks for the version first, which any CRIU can tell, whatever the kernel lacks. */
async function greet({
  pid,
  socket,
  output,
}: {
  pid: number;
  socket: number;
  output: number;
}): Promise<Criu> {
  const criu: Criu = {
    pid,
    socket,
    version: 0,
    printed: () => (output < 0 ? '' : readFileSync(`/proc/self/fd/${output}`, 'utf8')),
    end: () => {
      closeSync(socket);
      return reapExecutor(pid);
    },
  };
  try {
    criu.version = versionNumber(await call(socket, { type: REQUEST.VERSION, keepOpen: true }));
  } catch (error) {
    criu.end();
    const printed = criu.printed().trim();
    if (!(error instanceof CriuGone)) throw error;
    throw tooOld(printed === '' ? 'it can’t tell its version' : printed, error);
  }
  if (criu.version >= OLDEST) return criu;
  criu.end();
  throw tooOld(`it is ${versionText(criu.version)}`);
}

function tooOld(what: string, cause?: unknown): RuntsError {
  return new RuntsError('E_UNSUPPORTED', `criu is too old: ${what}`, {
    hint: `version ${versionText(OLDEST)} or later is needed`,
    cause,
  });
}

/** 3.17.1 is 31701. */
export function versionNumber({ success, version }: CriuResponse): number {
  if (!success || version === undefined) return 0;
  return version.major * 10_000 + version.minor * 100 + (version.sublevel ?? 0);
}

export function versionText(version: number): string {
  const sublevel = version % 100;
  const text = `${Math.floor(version / 10_000)}.${Math.floor(version / 100) % 100}`;
  return sublevel === 0 ? text : `${text}.${sublevel}`;
}

/**
 * Refuses what a CRIU can't do that is older than `least`.
 *
 * @throws RuntsError E_UNSUPPORTED
 */
export function requireVersion({ version }: Pick<Criu, 'version'>, least: number, what: string): void {
  if (version >= least) return;
  throw new RuntsError(
    'E_UNSUPPORTED',
    `${what} needs CRIU ${versionText(least)} or later, this is ${versionText(version)}`,
    { hint: 'update criu' },
  );
}

/**
 * Asks whether the kernel, and CRIU, have what an option needs.
 *
 * @throws RuntsError E_UNSUPPORTED
 */
export async function requireFeature(
  { socket }: Pick<Criu, 'socket'>,
  feature: 'memTrack' | 'lazyPages',
  what: string,
): Promise<void> {
  const request = { type: REQUEST.FEATURE_CHECK, features: { [feature]: true }, keepOpen: true };
  const { success, features } = await call(socket, request);
  if (success && features?.[feature] === true) return;
  const needs = {
    memTrack: 'soft-dirty memory tracking (CONFIG_MEM_SOFT_DIRTY)',
    lazyPages: 'userfaultfd (CONFIG_USERFAULTFD)',
  };
  throw new RuntsError('E_UNSUPPORTED', `${what}: the kernel has no ${needs[feature]}, or CRIU can’t use it`);
}
