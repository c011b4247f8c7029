/**
 * Calls into C libraries: one interface, and behind it whichever FFI is the cheapest to start that works here.
 *
 * Under Bun its own (bun.ts), elsewhere koffi (koffi.ts). Nothing is loaded before the first call.
 *
 * @module
 */

import { RuntsError } from '../src/errors.ts';
import { type BunNative, bunNative } from './bun.ts';
import type { NativeArray, NativeFunction, NativeType } from './koffi.ts';
import * as koffi from './koffi.ts';

export type { NativeArg, NativeArray, NativeFunction, NativeType } from './koffi.ts';

let bun: BunNative | undefined | null = null;

function ofBun(): BunNative | undefined {
  if (bun === null) bun = bunNative();
  return bun;
}

/**
 * Declares a function of a shared library. Keep the declaration, and make it late.
 *
 * @param library - file name for dlopen(3), or null for libc
 * @throws RuntsError E_INSTALL without koffi where it is needed; E_UNSUPPORTED without the library or the function
 */
export function declare(
  library: string | null,
  name: string,
  result: NativeType,
  parameters: readonly NativeType[],
): NativeFunction {
  const native = ofBun();
  if (native === undefined) return koffi.declare(library, name, result, parameters);
  try {
    return native.declare(library, name, result, parameters);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RuntsError('E_UNSUPPORTED', `cannot call ${name} of ${library ?? 'libc'}: ${reason}`, {
      cause: error,
    });
  }
}

/** errno(3) of this thread. Call it right after the function that failed: anything in between may change it. */
export function errno(): number {
  return ofBun()?.errno() ?? koffi.errno();
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
  return ofBun()?.address(array) ?? koffi.addressOfBytes(array);
}
