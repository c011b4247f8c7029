/**
 * Starting a hook in the runtime's namespaces: an executor that becomes the hook.
 *
 * Not node:child_process: it gives its children sockets, and a script that opens /dev/stdin or /dev/stderr fails on
 * those; a file without `#!` is run by a shell; and QuickJS has none.
 *
 * @module
 */

import { closeSync, constants, openSync } from '#files';
import { errnoName, errnoText, PR } from '../../ffi/constants/index.ts';
import { duplicate, pipe, socketPair } from '../../ffi/descriptors.ts';
import { Program, stringArray } from '../../ffi/program.ts';
import type { Report } from '../../ffi/report.ts';
import { readReport } from '../../ffi/report.ts';
import { type HandedDescriptor, reapExecutor } from '../../ffi/spawn.ts';
import { spawnProgram } from '../../ffi/spawn-program.ts';
import { errnoOf, RuntsError } from '../errors.ts';
import { hasCloseRange } from '../linux/facts.ts';
import { planCloseOnExec } from '../plan/close-on-exec.ts';
import type { HookOutput } from '../spec/annotations.ts';
import type { HookProcess } from './supervise.ts';

/** What execve(2) takes, and where. */
export interface HookCommand {
  /** Absolute. */
  path: string;
  argv: readonly string[];
  /** `NAME=value`; nothing else gets into the hook's environment. */
  env: readonly string[];
  /** Working directory; where it can't be entered, the runtime's own. */
  cwd?: string;
  /** Files that its output is appended to. */
  output?: HookOutput;
}

/**
 * Starts a hook: in the runtime's namespaces {@link spawnOnHost}, in the container's one of src/container.
 *
 * Returns once execve has succeeded. The hook leads a process group of its own.
 *
 * @throws an error whose message is what could not be done, as in `fork/exec /bin/x: no such file or directory`; with
 *   `details.errno` where it is a RuntsError
 */
export type HookSpawner = (command: HookCommand) => HookProcess;

/** The three pipes of a hook; -1 where its output goes to a file. */
export interface HookPipes {
  /** The hook's ends by the numbers they get, for spawnExecutor. */
  theirs: HandedDescriptor[];
  ours: { stdin: number; stdout: number; stderr: number };
  /** After the start, for our copies of the hook's ends. */
  closeTheirs(): void;
  /** After a failed start. */
  closeAll(): void;
}

const SIGKILL = 9;

/**
 * Makes the pipes for a hook's standard streams.
 *
 * @throws RuntsError E_HOOK when a file for its output can't be opened
 */
export function hookPipes(output: HookOutput = {}): HookPipes {
  const open: number[] = [];
  /** Our own standard streams may be closed: descriptors below 3 would be overwritten in the child. */
  const above = (fd: number): number => {
    if (fd > 2) return fd;
    const copy = duplicate(fd);
    closeSync(fd);
    return copy;
  };
  const make = (): [number, number] => {
    const ends = pipe().map(above) as [number, number];
    open.push(...ends);
    return ends;
  };
  /** Where output goes: nothing is read here of what goes to a file. */
  const sink = (path: string | undefined): [number, number] => {
    if (path === undefined) return make();
    const file = above(openOutput(path));
    open.push(file);
    return [-1, file];
  };
  const close = (fds: readonly number[]): void => {
    for (const fd of fds) closeSync(fd);
  };
  try {
    const [inReader, inWriter] = make();
    const [outReader, outWriter] = sink(output.stdout);
    const [errReader, errWriter] = sink(output.stderr);
    return {
      theirs: [
        { from: inReader, to: 0 },
        { from: outWriter, to: 1 },
        { from: errWriter, to: 2 },
      ],
      ours: { stdin: inWriter, stdout: outReader, stderr: errReader },
      closeTheirs: () => close([inReader, outWriter, errWriter]),
      closeAll: () => close(open),
    };
  } catch (error) {
    close(open);
    throw error;
  }
}

/** A FIFO that nobody reads must not stop a container. */
function openOutput(path: string): number {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOCTTY, O_NONBLOCK } = constants;
  try {
    return openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK, 0o600);
  } catch (error) {
    throw new RuntsError('E_HOOK', `open ${path} for its output: ${errnoText(errnoOf(error) ?? '')}`, {
      syscall: 'open',
      errno: errnoOf(error),
      cause: error,
    });
  }
}

/** Runs a hook in the namespaces and with the rights of the runtime. */
export const spawnOnHost: HookSpawner = (command) => {
  const program = hostProgram(command);
  const pipes = hookPipes(command.output);
  let failed = true;
  const [report, reporter] = socketPair();
  try {
    const pid = spawnProgram(program, {
      handed: { report: reporter },
      report: 'report',
      streams: pipes.theirs,
      name: 'runts-hook',
    });
    closeSync(reporter);
    const failure = readReport(report);
    if (failure !== null) {
      reapExecutor(pid);
      throw startError(command.path, failure, program);
    }
    failed = false;
    return { pid, ...pipes.ours };
  } finally {
    closeSync(report);
    if (failed) pipes.closeAll();
    else pipes.closeTheirs();
  }
};

/** What the executor does on its way to becoming the hook. */
function hostProgram({ path, argv, env, cwd }: HookCommand): Program {
  const program = new Program();
  program.call('setsid', [], { note: 'a process group of its own, so that a timeout ends all of it' });
  program.call('prctl', [PR.SET_PDEATHSIG, SIGKILL], { note: 'a killed runtime leaves no hook behind' });
  if (cwd !== undefined) program.call('chdir', [cwd], { tolerate: 'any' });
  planCloseOnExec(program, 3, hasCloseRange());
  program.call('execve', [path, stringArray(argv), stringArray(env)]);
  program.call('exit_group', [255]);
  return program;
}

/**
 * Why a hook could not be started, from the report of its executor, in Go's words, which callers match.
 *
 * @param program - the one that was run
 */
export function startError(path: string, report: Report, program: Program): RuntsError {
  if (report.type !== 'fail') {
    return new RuntsError('E_INTERNAL', `the executor sent a ${report.type} instead of running ${path}`);
  }
  const op = program.ops[report.index];
  const call = op?.kind === 'syscall' && op.name !== 'execve' ? op.name : `fork/exec ${path}`;
  return new RuntsError('E_HOOK', `${call}: ${errnoText(report.errno)}`, {
    syscall: op?.kind === 'syscall' ? op.name : undefined,
    errno: errnoName(report.errno),
  });
}
