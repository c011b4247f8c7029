/**
 * Calls into C libraries: one interface, and behind it what the engine has.
 *
 * QuickJS has functions of our own in C (quickjs/native.ts), Node has koffi (koffi.ts); package.json's `#native` chooses
 * by the condition that a program is bundled with. Nothing is loaded before the first call.
 *
 * @module
 */

import { directSyscall, engineNative } from '#native';
import { RuntsError } from '../src/errors.ts';

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

/** Result and parameters of C functions by their names. */
export type Declarations<Name extends string> = Readonly<
  Record<Name, readonly [result: NativeType, parameters: readonly NativeType[]]>
>;

/** An engine's way to C. */
export interface Native {
  /** @throws Error */
  declare<Name extends string>(
    library: string | null,
    functions: Declarations<Name>,
  ): Record<Name, NativeFunction>;
  /** syscall(2) with up to six arguments; the negative errno when it fails. */
  syscall(number: number, args: readonly NativeArg[]): number;
  address(array: NativeArray): bigint;
  /**
   * The events of descriptors, as of poll(2), as soon as one has any; all 0 after the timeout.
   *
   * @param timeoutMs - negative waits forever
   */
  whenReady(fds: readonly { fd: number; events: number }[], timeoutMs: number): Promise<number[]>;
  /** Whether a descriptor is one of those from 3 on, without a gap, that our caller left open. */
  inherits(fd: number): boolean;
}

let chosen: Native | undefined;

/** The engine's. */
export function native(): Native {
  chosen ??= engineNative();
  return chosen;
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
  return declareAll(library, { [name]: [result, parameters] })[name]!;
}

/** Declares functions at once, which costs less than one after the other. Otherwise as {@link declare}. */
export function declareAll<Name extends string>(
  library: string | null,
  functions: Declarations<Name>,
): Record<Name, NativeFunction> {
  const ffi = native();
  try {
    return ffi.declare(library, functions);
  } catch (error) {
    if (error instanceof RuntsError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    const names = Object.keys(functions).join(', ');
    throw new RuntsError('E_UNSUPPORTED', `cannot call ${names} of ${library ?? 'libc'}: ${reason}`, {
      cause: error,
    });
  }
}

/**
 * A system call by its number.
 *
 * @param args - at most six; what is left out is 0
 * @returns the result, or the negative errno
 * @throws RuntsError E_INSTALL without koffi where it is needed
 */
export function callKernel(number: number, args: readonly NativeArg[]): number {
  return directSyscall === undefined ? native().syscall(number, args) : directSyscall(number, args);
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
  return native().address(array);
}
