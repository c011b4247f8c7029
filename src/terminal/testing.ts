/**
 * A stand-in for `run` in the foreground, for tests: a command on a terminal of its own, relayed to this program's
 * standard streams, without a container. As a program: `testing.ts SCENARIO`, as JSON.
 *
 * @module
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { TIOC } from '../../ffi/constants/index.ts';
import { syscall } from '../../ffi/local.ts';
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
  const child = spawn('setsid', ['--ctty', '--wait', ...command], { stdio: [peer, peer, peer] });
  closeSync(peer);
  const ended = once(child, 'exit');
  const terminal = relayTerminal(master);
  if (mishap !== undefined) {
    await delay(200);
    if (mishap === 'exit') process.exit(9);
    throw new Error('crash');
  }
  const [code, signal] = (await ended) as [number | null, string | null];
  await terminal.finish();
  process.exitCode = exitCodeOf({ code: code ?? undefined, signal: signal === null ? undefined : 1 });
}

async function printSignals(): Promise<void> {
  const caught = catchSignals();
  const seen: number[] = [];
  process.stdout.write(`${FORWARDED.join(' ')}\n`);
  // What comes until then is kept.
  await delay(300);
  const timer = setInterval(() => {}, 1000);
  caught.forwardTo((signal) => {
    seen.push(signal);
    if (signal !== 15) return;
    caught.release();
    clearInterval(timer);
    process.stdout.write(`${seen.join(' ')}\n`);
  });
}

if (process.argv[2]?.startsWith('{')) {
  const scenario = JSON.parse(process.argv[2]) as Scenario;
  await (scenario.signals === true ? printSignals() : relay(scenario));
}
