/**
 * Signals by name and number, for the architectures with the generic numbers (x86-64, aarch64, riscv64, ...).
 *
 * node:os has a table too, but without the real-time signals.
 *
 * @see signal(7), include/uapi/asm-generic/signal.h
 * @module
 */

import { RuntsError } from '../errors.ts';

/** Names without SIG; the index is the number. */
const NAMES = [
  '', // 0 is no signal: kill(2) then only checks
  ...[
    'HUP',
    'INT',
    'QUIT',
    'ILL',
    'TRAP',
    'ABRT',
    'BUS',
    'FPE',
    'KILL',
    'USR1',
    'SEGV',
    'USR2',
    'PIPE',
    'ALRM',
  ],
  ...['TERM', 'STKFLT', 'CHLD', 'CONT', 'STOP', 'TSTP', 'TTIN', 'TTOU', 'URG', 'XCPU', 'XFSZ', 'VTALRM'],
  ...['PROF', 'WINCH', 'IO', 'PWR', 'SYS'],
];

/** What shells complete: every signal but the real-time ones, of which there are too many. */
export const SIGNAL_NAMES: readonly string[] = NAMES.slice(1);

/** By names as `SIGTERM`. */
const NUMBERS: ReadonlyMap<string, number> = new Map(
  NAMES.slice(1).map((name, index) => [`SIG${name}`, index + 1]),
);

/** Other names of the same signals. */
const ALIASES: Readonly<Record<string, number>> = { IOT: 6, CLD: 17, POLL: 29, UNUSED: 31 };

/** The first real-time signal that programs may use: the C library keeps the kernel's 32 and 33 (signal(7)). */
const RTMIN = 34;
const RTMAX = 64;

/**
 * The number of a signal: a name with or without SIG in any case (`SIGKILL`, `kill`, `RTMIN+3`, `SIGRTMAX-1`) or a decimal
 * number from 0 to 64; 0 sends nothing and only checks that the process is there.
 *
 * @throws RuntsError E_SIGNAL
 */
export function parseSignal(text: string): number {
  const number = /^\d+$/.test(text) ? fromNumber(text) : signalNumber(text);
  if (number === undefined) {
    throw new RuntsError('E_SIGNAL', `unknown signal ${JSON.stringify(text)}`, {
      hint: 'a name such as KILL, SIGTERM or RTMIN+3, or a number up to 64',
    });
  }
  return number;
}

function fromNumber(text: string): number | undefined {
  const number = Number(text);
  return /^(0|[1-9]\d?)$/.test(text) && number <= RTMAX ? number : undefined;
}

/** As {@link parseSignal} for a name; undefined for one that no signal has. */
export function signalNumber(text: string): number | undefined {
  const known = NUMBERS.get(text);
  if (known !== undefined) return known;
  // ASCII only: toUpperCase makes an I of a dotless i.
  if (!/^[A-Za-z0-9+-]+$/.test(text)) return undefined;
  const name = text.toUpperCase().replace(/^SIG/, '');
  if (name === '') return undefined;
  const number = NAMES.indexOf(name);
  if (number > 0) return number;
  if (Object.hasOwn(ALIASES, name)) return ALIASES[name];
  const match = /^RT(?:(MIN)(\+\d{1,2})?|MAX(-\d{1,2})?)$/.exec(name);
  if (match === null) return undefined;
  const [, min, above = 0, below = 0] = match;
  const real = min === undefined ? RTMAX + Number(below) : RTMIN + Number(above);
  return real >= RTMIN && real <= RTMAX ? real : undefined;
}

/** The name of a signal for messages: `SIGKILL`, `SIGRTMIN+3`; a number without a name as `signal 33`. */
export function signalName(number: number): string {
  const name = NAMES[number];
  if (name) return `SIG${name}`;
  if (number === RTMIN) return 'SIGRTMIN';
  if (number === RTMAX) return 'SIGRTMAX';
  if (number > RTMIN && number < RTMAX) return `SIGRTMIN+${number - RTMIN}`;
  return `signal ${number}`;
}
