/**
 * Calls into C libraries under Bun, by the FFI that is part of the engine.
 *
 * Loading koffi costs 2.5 ms of processor time at every start (a shared object of a megabyte to map and relocate);
 * this costs 0.2 ms. Bun compiles a stub per function, which hardened systems may forbid (no memory that is both
 * written and executed): native.ts then takes koffi.
 *
 * Everything that only Bun has stands here and in engine.ts.
 *
 * @see https://bun.com/docs/api/ffi
 * @module
 */

import type { NativeArg, NativeArray, NativeFunction, NativeType } from './koffi.ts';

/** The primitives below bun:ffi, whose own JavaScript costs another 0.5 ms. */
interface BunFfi {
  dlopen(
    library: string,
    symbols: Record<string, { args: readonly number[]; returns: number }>,
  ): { symbols: Record<string, (...args: (number | bigint)[]) => number> } | Error;
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

export interface BunNative {
  declare(
    library: string | null,
    name: string,
    result: NativeType,
    parameters: readonly NativeType[],
  ): NativeFunction;
  errno(): number;
  address(array: NativeArray): bigint;
}

/** The engine's FFI, or undefined under another engine and where it does not work. */
export function bunNative(): BunNative | undefined {
  const ffi = (globalThis as { Bun?: { FFI?: BunFfi } }).Bun?.FFI;
  if (ffi === undefined) return undefined;
  try {
    const location = open(ffi, LIBC, '__errno_location', [], TYPES['void *']);
    return {
      declare: (library, name, result, parameters) => declare(ffi, library ?? LIBC, name, result, parameters),
      // the address is that of the calling thread, which is always the same one here
      errno: () => ffi.read.i32(location(), 0),
      address: (array) => BigInt(ffi.ptr(array)),
    };
  } catch {
    return undefined;
  }
}

function open(
  ffi: BunFfi,
  library: string,
  name: string,
  args: readonly number[],
  returns: number,
): (...args: (number | bigint)[]) => number {
  const opened = ffi.dlopen(library, { [name]: { args, returns } });
  if (opened instanceof Error) throw opened;
  return opened.symbols[name]!;
}

function declare(
  ffi: BunFfi,
  library: string,
  name: string,
  result: NativeType,
  parameters: readonly NativeType[],
): NativeFunction {
  const call = open(
    ffi,
    library,
    name,
    parameters.map((type) => TYPES[type]),
    TYPES[result],
  );
  return (...args) => {
    // Strings are encoded here, and kept until the call is over.
    const kept: unknown[] = [];
    return call(...args.map((arg) => toNative(ffi, arg, kept)));
  };
}

function toNative(ffi: BunFfi, arg: NativeArg, kept: unknown[]): number | bigint {
  switch (typeof arg) {
    case 'number':
    case 'bigint':
      return arg;
    case 'string': {
      const text = Buffer.from(`${arg}\0`);
      kept.push(text);
      return ffi.ptr(text);
    }
    default:
      return arg === null || arg.byteLength === 0 ? 0 : ffi.ptr(arg);
  }
}
