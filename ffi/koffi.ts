/**
 * Calls into C libraries, through koffi's native module.
 *
 * The module is loaded at the first call, by dlopen(3) of its absolute path beside the program: koffi's own JavaScript
 * would search for it (7 ms under Bun, against 1.5 ms). Commands that call nothing native never load it.
 *
 * @module
 */

import { existsSync } from 'node:fs';
import { RuntsError } from '../src/errors.ts';
import { assetPath, installationError } from './engine.ts';

/** What may be passed to C. A string becomes NUL-terminated UTF-8; an array is passed by its address. */
export type NativeArg = number | bigint | string | NativeArray | null;
export type NativeArray =
  | Uint8Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** C types by koffi's names. */
export type NativeType = 'void' | 'int' | 'uint' | 'int64' | 'uint64' | 'void *' | 'str';

/** A declared C function. 64-bit results are a bigint beyond 2^53. */
export type NativeFunction = (...args: readonly NativeArg[]) => number;

interface Library {
  func(name: string, result: NativeType, parameters: readonly NativeType[]): NativeFunction;
}

interface Koffi {
  load(path: string | null): Library;
  address(array: NativeArray): bigint;
  errno(): number;
}

let loaded: Koffi | undefined;
let readErrno: () => number;
const libraries = new Map<string | null, Library>();

/**
 * Loads koffi, once.
 *
 * @throws RuntsError E_INSTALL
 */
function koffi(): Koffi {
  if (loaded !== undefined) return loaded;
  const path = assetPath('koffi.node');
  const module: { exports: Partial<Koffi> } = { exports: {} };
  try {
    process.dlopen(module, path);
  } catch (error) {
    const reason = !existsSync(path) ? 'the file does not exist' : messageOf(error);
    throw installationError('koffi.node', reason, error);
  }
  if (module.exports.load === undefined) throw installationError('koffi.node', 'it is not koffi');
  loaded = module.exports as Koffi;
  readErrno = loaded.errno;
  return loaded;
}

/**
 * Declares a function of a shared library. A declaration costs about 20 microseconds: keep it, and make it late.
 *
 * @param library - file name for dlopen(3), or null for what the program itself is linked with, which is libc
 * @throws RuntsError E_INSTALL without koffi; E_UNSUPPORTED without the library or the function
 */
export function declare(
  library: string | null,
  name: string,
  result: NativeType,
  parameters: readonly NativeType[],
): NativeFunction {
  const ffi = koffi();
  try {
    let handle = libraries.get(library);
    if (handle === undefined) {
      handle = ffi.load(library);
      libraries.set(library, handle);
    }
    return handle.func(name, result, parameters);
  } catch (error) {
    throw new RuntsError(
      'E_UNSUPPORTED',
      `cannot call ${name} of ${library ?? 'libc'}: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
}

/** errno(3) of this thread. Call it right after the function that failed: anything in between may change it. */
export function errno(): number {
  return readErrno();
}

/**
 * Memory that C may be told the address of.
 *
 * A typed array of its own may lie in the engine's heap and be moved; one over an ArrayBuffer stays where it is.
 *
 * @param size - bytes, all zero
 */
export function nativeBytes(size: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(size));
}

/**
 * The address of an array of {@link nativeBytes}. It is good only as long as the array itself is referenced, so hand
 * the array itself to the call, and let the structures in it point to each other.
 */
export function addressOfBytes(array: NativeArray): bigint {
  return koffi().address(array);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
