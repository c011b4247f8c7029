/**
 * `process`, `console` and `performance` under QuickJS: as much of Node's as is used here.
 *
 * @module
 */

import './builtins.ts';
import { signalNumber } from '../../src/linux/signals.ts';
import { FileError, readlinkSync } from '../files.ts';
import { trySyscall } from '../local.ts';
import { fromUtf8, utf8 } from '../text.ts';
import { define } from './builtins.ts';
import { host } from './host.ts';
import { emit, off, on, turn } from './loop.ts';

let started = 0;
let ending = false;
let environment: Record<string, string> | undefined;

const PATH_SIZE = 4096;

const ours = {
  argv: [] as string[],
  get env(): Record<string, string> {
    environment ??= host.environment();
    return environment;
  },
  get execPath(): string {
    return readlinkSync('/proc/self/exe');
  },
  get pid(): number {
    return trySyscall('getpid', []);
  },
  on,
  off,
  exit(code = 0): never {
    if (!ending) {
      ending = true;
      emit('exit');
    }
    return host.exit(code);
  },
  cwd(): string {
    const buffer = new Uint8Array(PATH_SIZE);
    const length = trySyscall('getcwd', [buffer, buffer.length]);
    if (length < 0) throw new FileError(-length, 'getcwd');
    // The kernel counts the NUL.
    return fromUtf8(buffer.subarray(0, length - 1));
  },
  getuid: (): number => trySyscall('getuid', []),
  getgid: (): number => trySyscall('getgid', []),
  geteuid: (): number => trySyscall('geteuid', []),
  getegid: (): number => trySyscall('getegid', []),
  kill(pid: number, signal: number | string): void {
    const number = typeof signal === 'number' ? signal : (signalNumber(signal) ?? 0);
    const result = trySyscall('kill', [pid, number]);
    if (result < 0) throw new FileError(-result, 'kill');
  },
  uptime: (): number => (host.clock() - started) / 1000,
};

function printer(fd: number): (text: string) => void {
  return (text) => {
    for (let rest = utf8(`${text}\n`); rest.length > 0; ) {
      const written = trySyscall('write', [fd, rest, rest.length]);
      if (written <= 0) return;
      rest = rest.subarray(written);
    }
  };
}

Object.defineProperties(process, Object.getOwnPropertyDescriptors(ours));
define(globalThis, 'console', { log: printer(1), error: printer(2) });
define(globalThis, 'performance', { now: () => host.clock() - started });

/** `start` is called once in every process. The top level of all modules ran when the program was built. */
export function onStart(start: () => void): void {
  host.onFailure(emit);
  host.onStart(() => {
    started = host.clock();
    // As under Node, where the engine and the script stand before the arguments.
    process.argv = ['runts', 'runts', ...host.arguments().slice(1)];
    start();
    return turn;
  });
}
