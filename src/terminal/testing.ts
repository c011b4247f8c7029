/**
 * A stand-in for `run` in the foreground, for tests: a command on a terminal of its own, relayed to this program's
 * standard streams, without a container. As a program: `testing.ts SCENARIO`, as JSON.
 *
 * @module
 */

import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { TIOC } from '../../ffi/constants/index.ts';
import { currentMachine } from '../../ffi/engine.ts';
import { executorFile } from '../../ffi/executor-file.ts';
import { syscall } from '../../ffi/local.ts';
import { pidfdOpen, waitForExit } from '../../ffi/processes.ts';
import { Program, stringArray } from '../../ffi/program.ts';
import { spawnExecutor } from '../../ffi/spawn.ts';
import { assemble, image } from '../../ffi/tape.ts';
import { attributes, setAttributes } from '../../ffi/terminal.ts';
import { relayTerminal } from './relay.ts';
import { catchSignals, exitCodeOf, FORWARDED } from './signals.ts';

export interface Scenario {
  /** Run on the terminal, as the leader of its session. */
  command?: string[];
  /** The terminal echoes its input; else the output is only what the command prints. */
  echo?: boolean;
  /** What the program does to itself after 200 ms. */
  mishap?: 'throw' | 'exit';
  /** Instead: forwards signals to standard output, as numbers, until SIGTERM. */
  signals?: boolean;
}

// struct termios: c_lflag at 12, asm-generic/termbits.h
const LOCAL_FLAGS = 12;
const ECHO = 0o10;

/** A new pseudoterminal. */
export function openTerminal(): { master: number; peer: number } {
  const flags = constants.O_RDWR | constants.O_NOCTTY;
  const master = openSync('/dev/ptmx', flags);
  syscall('ioctl', [master, TIOC.SPTLCK, new Int32Array(1)]);
  const peer = syscall('ioctl', [master, TIOC.GPTPEER, flags | 0o2000000]);
  return { master, peer };
}

async function relay({ command = [], echo, mishap }: Scenario): Promise<void> {
  const { master, peer } = openTerminal();
  if (echo !== true) {
    const modes = attributes(peer);
    modes[LOCAL_FLAGS]! &= ~ECHO;
    setAttributes(peer, modes);
  }
  const pid = spawnOn(peer, command);
  closeSync(peer);
  const ended = waitForExit({ pid, pidfd: pidfdOpen(pid)! });
  const terminal = relayTerminal(master);
  if (mishap !== undefined) {
    await delay(200);
    if (mishap === 'exit') process.exit(9);
    throw new Error('crash');
  }
  const status = await ended;
  await terminal.finish();
  process.exit(exitCodeOf(status));
}

const delay = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Starts a command on a terminal, as the leader of its session. */
function spawnOn(terminal: number, command: readonly string[]): number {
  const program = new Program();
  for (const fd of [0, 1, 2]) program.call('dup3', [TERMINAL, fd, 0]);
  program.call('setsid', []);
  program.call('ioctl', [0, TIOC.SCTTY, 0]);
  const env = [`PATH=${process.env.PATH}`];
  program.call('execve', ['/usr/bin/env', stringArray(['env', '--', ...command]), stringArray(env)]);
  program.call('exit_group', [127]);
  const tape = assemble(program, { machine: currentMachine(), fds: {}, reportFd: TERMINAL + 1 });
  return spawnExecutor({ image: image(executorFile(), tape), fds: [{ from: terminal, to: TERMINAL }] });
}

/** The number of the terminal's descriptor in the child. */
const TERMINAL = 60;

const print = (text: string): void => void writeSync(1, text);

async function printSignals(): Promise<void> {
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const caught = catchSignals();
  const seen: number[] = [];
  print(`${FORWARDED.join(' ')}\n`);
  // What comes until then is kept.
  await delay(300);
  const timer = setInterval(() => {}, 1000);
  caught.forwardTo((signal) => {
    seen.push(signal);
    if (signal !== 15) return;
    caught.release();
    clearInterval(timer);
    end();
    print(`${seen.join(' ')}\n`);
  });
  await ended;
}

/** The program. */
export async function main(): Promise<void> {
  const scenario = JSON.parse(process.argv[2]!) as Scenario;
  await (scenario.signals === true ? printSignals() : relay(scenario));
}
