/**
 * `process`, `console` and `performance` under QuickJS: as much of Node's as is used here.
 *
 * @module
 */

import { signalNumber } from '../../src/linux/signals.ts';
import { errnoName } from '../constants/errno.ts';
import { fromUtf8, utf8 } from '../text.ts';
import { define } from './builtins.ts';
import { call, host } from './host.ts';
import { emit, off, on, turn } from './loop.ts';

let started = 0;
let environment: Record<string, string> | undefined;

const PATH_SIZE = 4096;

/** A path that the kernel writes into a buffer; `what` tells of a failure. */
function pathOf(what: string, read: (buffer: Uint8Array) => number): string {
  const buffer = new Uint8Array(PATH_SIZE);
  const length = read(buffer);
  if (length < 0) throw failure(what, -length);
  return fromUtf8(buffer.subarray(0, length));
}

function failure(what: string, errno: number): Error {
  const code = errnoName(errno);
  return Object.assign(new Error(`${code}: ${what}`), { code, errno: -errno, syscall: what });
}

const AT_FDCWD = -100;

const ours = {
  argv: [] as string[],
  versions: { quickjs: host.version },
  arch: host.arch,
  get env(): Record<string, string> {
    environment ??= parseEnvironment(host.environment());
    return environment;
  },
  get execPath(): string {
    return pathOf('readlink', (to) => call('readlinkat', [AT_FDCWD, '/proc/self/exe', to, to.length]));
  },
  get pid(): number {
    return call('getpid');
  },
  on,
  off,
  exit(code = 0): never {
    emit('exit');
    return host.exit(code);
  },
  // The kernel counts the NUL.
  cwd: (): string => pathOf('getcwd', (to) => Math.max(call('getcwd', [to, to.length]) - 1, -PATH_SIZE)),
  getuid: (): number => call('getuid'),
  getgid: (): number => call('getgid'),
  geteuid: (): number => call('geteuid'),
  getegid: (): number => call('getegid'),
  kill(pid: number, signal: number | string): void {
    const number = typeof signal === 'number' ? signal : (signalNumber(signal) ?? 0);
    const result = call('kill', [pid, number]);
    if (result < 0) throw failure('kill', -result);
  },
  uptime: (): number => (host.clock() - started) / 1000,
};

function parseEnvironment(lines: readonly string[]): Record<string, string> {
  const parsed: Record<string, string> = {};
  for (const line of lines) {
    const end = line.indexOf('=');
    // The first of two counts, as for getenv(3).
    if (end > 0 && !(line.slice(0, end) in parsed)) parsed[line.slice(0, end)] = line.slice(end + 1);
  }
  return parsed;
}

function printer(fd: number): (text: string) => void {
  return (text) => {
    for (let rest = utf8(`${text}\n`); rest.length > 0; ) {
      const written = call('write', [fd, rest, rest.length]);
      if (written <= 0) return;
      rest = rest.subarray(written);
    }
  };
}

define(globalThis, 'process', ours);
define(globalThis, 'console', { log: printer(1), error: printer(2) });
define(globalThis, 'performance', { now: () => host.clock() - started });

/** `start` is called once in every process. The top level of all modules ran when the program was built. */
export function onStart(start: () => void): void {
  host.onStart(() => {
    started = host.clock();
    // As under Node, where the engine and the script stand before the arguments.
    ours.argv = ['runts', 'runts', ...host.arguments().slice(1)];
    start();
    return turn;
  });
}
