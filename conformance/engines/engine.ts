/**
 * What an engine's cases are made of: commands, waiting, and the engine's own side.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import type { VmOptions } from '../vm/vm.ts';
import type { Image } from './image.ts';

export type Place = 'host' | 'vm';

/** A runtime under test. */
export interface Runtime {
  readonly name: string;
  /** Absolute path of one program. */
  readonly path: string;
}

/** Where an engine is to work. */
export interface Setting {
  readonly runtime: Runtime;
  readonly place: Place;
  readonly image: Image;
  /** Empty, the engine's own. */
  readonly folder: string;
  /** In the name of every cgroup. */
  readonly token: string;
}

/** What a command left. */
export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Case<Box> {
  readonly name: string;
  /** Needs what only the VM has: limits, systemd, checkpoints. `too`: shows something there that a host can't. */
  readonly vm?: true | 'too';
  /** The VM would show nothing more, and takes long. */
  readonly host?: true;
  /** Why it fails for runts, when that is known; in one sentence. */
  readonly known?: string;
  /** Throws when it fails; {@link Skip} when it can't be tried. */
  run(box: Box): void | Promise<void>;
}

/** A container engine with its cases. */
export interface Engine<Box> {
  /** The part's name: `npm run conformance -- NAME`. */
  readonly name: string;
  readonly title: string;
  /** Those that are compared when nothing else is asked for; runts and runc without. */
  readonly runtimes?: readonly string[];
  /** Debian package by program; a program with a slash is a file. */
  readonly programs: Readonly<Record<string, string>>;
  /** What the page says about how it was run. */
  readonly note: Readonly<Record<Place, string>>;
  /**
   * Of the VM: systemd, memory, further packages; whether only the cases with `vm` run there unless others are named,
   * as each takes so long.
   */
  readonly vm?: Pick<VmOptions, 'systemd' | 'memory' | 'cpus' | 'packages'> & { readonly onlyMarked?: true };
  /** Brings the engine up, with the image in it. */
  open(setting: Setting): Box | Promise<Box>;
  readonly cases: readonly Case<Box>[];
  /** After each case, whether it failed or not: removes what is left. */
  clear(box: Box): void | Promise<void>;
  /** After the last case, for what would keep the process alive. The daemons die with their world. */
  close?(box: Box): void;
  /** What the engine says of itself, one line. */
  version(box: Box): string;
}

/** Thrown by a case that can't be tried with this runtime or here; the message says why. */
export class Skip extends Error {}

/** Milliseconds a command may take. In emulation all takes ten to forty times as long. */
const LIMIT: Readonly<Record<Place, number>> = { host: 30_000, vm: 300_000 };

/** Runs a program to its end; standard input is `input`, or empty. */
export function call(place: Place, argv: readonly string[], input = ''): Result {
  const [file = '', ...args] = argv;
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    input,
    encoding: 'utf8',
    timeout: LIMIT[place],
    killSignal: 'SIGKILL',
    maxBuffer: 1 << 26,
  });
  // A program that doesn't read its input to the end may still be right.
  if (error !== undefined && (error as NodeJS.ErrnoException).code !== 'EPIPE') {
    throw new Error(`${argv.join(' ')}: ${error.message}: ${stderr?.trim() ?? ''}`);
  }
  return { code: status ?? -1, stdout, stderr };
}

/** A command that must succeed; gives its output. */
export function ok(place: Place, argv: readonly string[], input = ''): string {
  const { code, stdout, stderr } = call(place, argv, input);
  if (code !== 0) throw new Error(`${argv.join(' ')}: exit code ${code}: ${stderr.trim() || stdout.trim()}`);
  return stdout;
}

/** The command line that runs a command on a terminal of its own; output comes with CR LF. */
export function onTerminal(argv: readonly string[]): string[] {
  const quoted = argv.map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
  return ['script', '-qec', quoted.join(' '), '/dev/null'];
}

const clock = new Int32Array(new SharedArrayBuffer(4));

/** How often {@link waitFor} looks: for some minutes, and the time that looking takes. */
export const LOOKS = 300;

/** Milliseconds before the next look: short at first, a second at most. */
export function pauseAfter(look: number): number {
  return Math.min(20 * 1.02 ** look, 1000);
}

/**
 * Looks again until there is something.
 *
 * @param look - gives undefined or false as long as there is not
 * @throws Error naming what didn't come
 */
export function waitFor<T>(what: string, look: () => T | undefined | false): T {
  for (let i = 0; i < LOOKS; i++) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    Atomics.wait(clock, 0, 0, pauseAfter(i));
  }
  throw new Error(`waited in vain: ${what}`);
}
