/**
 * Calls into C libraries under Bun, by the FFI that is part of the engine.
 *
 * It takes 0.3 ms at the first call, where koffi takes 1.7 ms: a shared object of a megabyte to map and relocate, and
 * the C++ library with it. Bun makes a machine code stub per function, which hardened systems may forbid (no memory
 * that is both written and executed): native.ts then takes koffi.
 *
 * Everything that only Bun has stands here and in engine.ts.
 *
 * @see https://bun.com/docs/api/ffi
 * @module
 */

import type { Declarations, Native, NativeArg, NativeArray, NativeFunction, NativeType } from './native.ts';

type Stub = (...args: readonly (number | bigint)[]) => number;
interface Symbol {
  args: readonly number[];
  returns: number;
}

/** The primitives below bun:ffi, whose own JavaScript costs another 0.5 ms. */
interface BunFfi {
  dlopen(library: string, symbols: Record<string, Symbol>): { symbols: Record<string, Stub> } | Error;
  ptr(array: NativeArray): number;
  read: { i32(address: number, offset: number): number };
}

/** FFIType of bun:ffi. The 64-bit ones give a number as long as it is exact. */
const TYPES: Readonly<Record<NativeType, number>> = {
  void: 13,
  int: 5,
  uint: 6,
  int64: 15,
  uint64: 16,
  'void *': 12,
  str: 12,
};

const LIBC = 'libc.so.6';

/** The engine's FFI, or undefined under another engine and where it does not work. */
export function bunNative(): Native | undefined {
  const ffi = (globalThis as { Bun?: { FFI?: BunFfi } }).Bun?.FFI;
  if (ffi === undefined) return undefined;
  try {
    return makeNative(ffi);
  } catch {
    return undefined;
  }
}

function makeNative(ffi: BunFfi): Native {
  const word = TYPES.int64;
  const stubs = open(ffi, LIBC, {
    // One stub for every system call: a pointer is a number too.
    syscall: { args: [word, word, word, word, word, word, word], returns: word },
    __errno_location: { args: [], returns: TYPES['void *'] },
  });
  const syscall = stubs.syscall!;
  // It is each thread's own; this is always called on the same one.
  const errno = stubs.__errno_location!();
  return {
    declare: (library, functions) => declare(ffi, library ?? LIBC, functions),
    syscall(number, args) {
      // What is passed by address lives until the call is over, because `kept` does.
      const kept: Uint8Array[] = [];
      const result = syscall(
        number,
        toNative(ffi, args[0], kept),
        toNative(ffi, args[1], kept),
        toNative(ffi, args[2], kept),
        toNative(ffi, args[3], kept),
        toNative(ffi, args[4], kept),
        toNative(ffi, args[5], kept),
      );
      return result === -1 ? -ffi.read.i32(errno, 0) : result;
    },
    address: (array) => BigInt(ffi.ptr(array)),
  };
}

function declare<Name extends string>(
  ffi: BunFfi,
  library: string,
  functions: Declarations<Name>,
): Record<Name, NativeFunction> {
  const symbols: Record<string, Symbol> = {};
  for (const name in functions) {
    const args: number[] = [];
    for (const type of functions[name][1]) args.push(TYPES[type]);
    symbols[name] = { args, returns: TYPES[functions[name][0]] };
  }
  const stubs = open(ffi, library, symbols);
  const declared = {} as Record<Name, NativeFunction>;
  for (const name in functions) {
    const stub = stubs[name]!;
    declared[name] = (...args) => {
      const kept: Uint8Array[] = [];
      const values: (number | bigint)[] = [];
      for (let index = 0; index < args.length; index++) values.push(toNative(ffi, args[index], kept));
      return stub(...values);
    };
  }
  return declared;
}

function open(ffi: BunFfi, library: string, symbols: Record<string, Symbol>): Record<string, Stub> {
  const opened = ffi.dlopen(library, symbols);
  if (opened instanceof Error) throw opened;
  return opened.symbols;
}

function toNative(ffi: BunFfi, arg: NativeArg | undefined, kept: Uint8Array[]): number | bigint {
  switch (typeof arg) {
    case 'number':
    case 'bigint':
      return arg;
    case 'undefined':
      return 0;
    case 'string': {
      const text = new TextEncoder().encode(`${arg}\0`);
      kept.push(text);
      return ffi.ptr(text);
    }
    default:
      return arg === null || arg.byteLength === 0 ? 0 : ffi.ptr(arg);
  }
}
