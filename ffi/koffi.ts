/**
 * Calls into C libraries through koffi's native module, under Node.
 *
 * The module is loaded at the first call, by dlopen(3) of its absolute path beside the program: koffi's own JavaScript
 * would search for it first. Commands that call nothing native never load it.
 *
 * @module
 */

import { fstatSync, readlinkSync } from 'node:fs';
import { errnoOf, RuntsError } from '../src/errors.ts';
import { assetPath, installationError } from './engine.ts';
import type { Declarations, Native, NativeArg, NativeArray, NativeFunction, NativeType } from './native.ts';
import { nativeBytes } from './native.ts';

/** A declared C function that can also be called on a worker thread. */
type AsyncNativeFunction = NativeFunction & {
  async(...args: readonly [...NativeArg[], (error: Error | null, result: number) => void]): void;
};

interface Library {
  func(name: string, result: NativeType, parameters: readonly NativeType[]): AsyncNativeFunction;
}

interface Koffi {
  load(path: string | null): Library;
  address(array: NativeArray): bigint;
  errno(): number;
}

/** Whether a string with a NUL byte is refused below, with EINVAL. */
export const CHECKS_STRINGS: boolean = false;

/** None: koffi is loaded by the first call. */
export const directSyscall: Native['syscall'] | undefined = undefined;

/** The last signal that can be caught: Node has no names for the real-time signals, which end it. */
export const LAST_SIGNAL: number = 31;

/** Calls a function for each signal that comes. What this gives ends that. */
export function catchSignal(_number: number, name: string, handler: () => void): () => void {
  process.on(name as NodeJS.Signals, handler);
  return () => void process.off(name, handler);
}

/** Has the handlers of signals called that arrived while the thread was busy: Node's event loop reads of them as it turns. */
export function deliverSignals(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

let loaded: Koffi | undefined;
const libraries = new Map<string | null, Library>();

/**
 * koffi as a way to C.
 *
 * @throws RuntsError E_INSTALL
 */
export function engineNative(): Native {
  const koffi = load();
  return {
    declare: declareAll,
    syscall: (number, args) => callWithKoffi(koffi, number, args),
    address: (array) => koffi.address(array),
    whenReady,
    inherits,
  };
}

/**
 * Declares a function of a shared library. A declaration costs about 20 microseconds: keep it, and make it late.
 *
 * @param library - file name for dlopen(3), or null for what the program itself is linked with, which is libc
 * @throws RuntsError E_INSTALL without koffi; E_UNSUPPORTED without the library or the function
 */
function declare(
  library: string | null,
  name: string,
  result: NativeType,
  parameters: readonly NativeType[],
): AsyncNativeFunction {
  const koffi = load();
  try {
    let handle = libraries.get(library);
    if (handle === undefined) {
      handle = koffi.load(library);
      libraries.set(library, handle);
    }
    return handle.func(name, result, parameters);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RuntsError('E_UNSUPPORTED', `cannot call ${name} of ${library ?? 'libc'}: ${reason}`, {
      cause: error,
    });
  }
}

function declareAll<Name extends string>(
  library: string | null,
  functions: Declarations<Name>,
): Record<Name, NativeFunction> {
  const declared = {} as Record<Name, NativeFunction>;
  for (const name in functions)
    declared[name] = declare(library, name, functions[name][0], functions[name][1]);
  return declared;
}

function load(): Koffi {
  if (loaded !== undefined) return loaded;
  const path = assetPath('koffi.node');
  const module: { exports: Partial<Koffi> } = { exports: {} };
  try {
    process.dlopen(module, path);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // Told by the message: to look for the file would need what failed here.
    const missing = message.includes('No such file or directory');
    throw installationError('koffi.node', missing ? 'the file does not exist' : message, error);
  }
  if (module.exports.load === undefined) throw installationError('koffi.node', 'it is not koffi');
  loaded = module.exports as Koffi;
  return loaded;
}

// Declarations of syscall(2) by the kinds of its arguments, two bits each. Arguments that a call lacks are passed as 0,
// which the kernel ignores, so that a handful of declarations serves every call.
const declared: NativeFunction[] = [];
const KINDS: readonly NativeType[] = ['int64', 'str', 'void *'];

function callWithKoffi(koffi: Koffi, number: number, args: readonly NativeArg[]): number {
  let kinds = 0;
  for (let index = 0; index < args.length; index++) kinds |= kindOf(args[index]!) << (2 * index);
  const call = declared[kinds] ?? declareSyscall(kinds);
  const result = call(
    number,
    args[0] ?? 0,
    args[1] ?? 0,
    args[2] ?? 0,
    args[3] ?? 0,
    args[4] ?? 0,
    args[5] ?? 0,
  );
  return result === -1 ? -koffi.errno() : result;
}

function kindOf(arg: NativeArg): number {
  if (typeof arg === 'string') return 1;
  return typeof arg === 'object' && arg !== null ? 2 : 0;
}

function declareSyscall(kinds: number): NativeFunction {
  const types: NativeType[] = ['int64'];
  for (let index = 0; index < 6; index++) types.push(KINDS[(kinds >> (2 * index)) & 3]!);
  const call = declare(null, 'syscall', 'int64', types);
  declared[kinds] = call;
  return call;
}

let pollOnWorker: AsyncNativeFunction | undefined;

/**
 * poll(2) on a worker thread, as Node's own streams refuse some kinds of descriptors and keep the process alive. Node
 * doesn't exit while this waits: give it a descriptor that an `exit` handler makes ready. When a signal comes, the
 * events are all 0.
 */
function whenReady(fds: readonly { fd: number; events: number }[], timeoutMs: number): Promise<number[]> {
  pollOnWorker ??= declare(null, 'poll', 'int', ['void *', 'uint64', 'int']);
  // struct pollfd { int fd; short events; short revents; }
  const list = nativeBytes(fds.length * 8);
  const view = new DataView(list.buffer);
  fds.forEach(({ fd, events }, index) => {
    view.setInt32(index * 8, fd, true);
    view.setInt16(index * 8 + 4, events, true);
  });
  const call = pollOnWorker;
  return new Promise((resolve, reject) => {
    call.async(list, fds.length, timeoutMs, (error) => {
      // errno is the worker's; a failure can only be a signal, or too little memory.
      if (error !== null) reject(error);
      else resolve(fds.map((_, index) => view.getInt16(index * 8 + 6, true)));
    });
  });
}

/** Node takes the lowest free numbers, its event loop first: where the loop is, our caller's descriptors end. */
function inherits(fd: number): boolean {
  try {
    fstatSync(fd);
    return readlinkSync(`/proc/self/fd/${fd}`) !== 'anon_inode:[eventpoll]';
  } catch (error) {
    if (errnoOf(error) === 'EBADF' || errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
