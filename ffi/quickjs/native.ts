/**
 * Calls into C libraries under QuickJS, by the functions of engine.c.
 *
 * @module
 */

import type { Declarations, Native, NativeFunction, NativeType } from '../native.ts';
import { host } from './host.ts';
import { dispatchSignals, whenReady } from './loop.ts';

/** Bits of a result, negative when it is signed. */
const WIDTHS: Readonly<Record<NativeType, number>> = {
  void: 0,
  int: -32,
  uint: 32,
  int64: 64,
  uint64: 64,
  'void *': 64,
  str: 64,
};

/** Whether a string with a NUL byte is refused below, with EINVAL. */
export const CHECKS_STRINGS: boolean = true;

/** Where calling the kernel takes nothing that must be loaded first: the way past {@link engineNative}. */
export const directSyscall: Native['syscall'] | undefined = host.syscall;

/** The last signal that can be caught: the last there is. */
export const LAST_SIGNAL: number = 64;

export { catchSignal } from './loop.ts';

/** Has the handlers of signals called that arrived while the thread was busy. */
export async function deliverSignals(): Promise<void> {
  dispatchSignals();
}

export function engineNative(): Native {
  return {
    syscall: host.syscall,
    address: host.address,
    declare,
    whenReady,
    inherits: (fd) => fd < host.firstFree(),
  };
}

function declare<Name extends string>(
  library: string | null,
  functions: Declarations<Name>,
): Record<Name, NativeFunction> {
  const handle = host.open(library);
  if (typeof handle === 'string') throw new Error(handle);
  const declared = {} as Record<Name, NativeFunction>;
  for (const name in functions) {
    const address = host.symbol(handle, name);
    if (address === 0) throw new Error(`there is no function ${name}`);
    const width = WIDTHS[functions[name][0]];
    declared[name] = (...args) => host.call(address, width, args);
  }
  return declared;
}
