/**
 * What engine.c gives to JavaScript.
 *
 * @module
 */

import type { NativeArg, NativeArray } from '../native.ts';
import type { Arg, Cell, Label, OpOptions } from '../program.ts';
import type { Machine } from '../syscalls.ts';

export interface Host {
  /** `x64` or `arm64`. */
  arch: Machine;
  /** Of QuickJS. */
  version: string;
  /** The result, or the negative errno. */
  syscall(number: number, args: readonly NativeArg[]): number;
  /** dlopen(3): a handle, or the loader's message. `null` is the program itself with its C library. */
  open(library: string | null): number | string;
  /** dlsym(3): the address, or 0. */
  symbol(handle: number, name: string): number;
  /** Calls a C function; `result` is the width of what it returns: -32 (signed), 32, 64, or 0 for nothing. */
  call(address: number, result: number, args: readonly NativeArg[]): number;
  address(array: NativeArray): bigint;
  /** The inner half of a writer of tapes, see tape.c. */
  tape: HostTape;
  /** A text's UTF-8. */
  encode(text: string): Uint8Array;
  /** UTF-8 as text; what is none becomes U+FFFD. */
  decode(bytes: Uint8Array): string;
  /** Ends the process at once. */
  exit(code: number): never;
  /** Milliseconds of the monotonic clock. */
  clock(): number;
  /** argv, with the program's name first. */
  arguments(): string[];
  /** Values by name. */
  environment(): Record<string, string>;
  /** The lowest descriptor that was not open when the program began. */
  firstFree(): number;
  /** Catches a signal, or gives it its default action back; the descriptor that becomes readable when one arrives. */
  catchSignal(number: number, whether: boolean): number;
  /** The numbers of those that arrived since the last call. */
  takeSignals(): number[];
  /** What every process begins with. It gives the event loop: one turn, false when there is nothing to wait for. */
  onStart(start: () => () => boolean): void;
  /** What nothing caught goes there, with Node's name of the event; false when nobody has told of it. */
  onFailure(failure: (event: string, error: unknown) => boolean): void;
}

/** Those with `this` are for a class with a property `tape`, which `create` gives. */
export interface HostTape {
  create(
    syscalls: Readonly<Record<string, number>>,
    errnos: Readonly<Record<string, number>>,
    cells: readonly Cell[],
  ): object;
  /** Appends a system call. What can't be one is given to the method `refused`, with the same arguments. */
  call(this: { tape: object }, name: string, args: readonly unknown[], options?: OpOptions): void;
  /** Appends any other operation, given its first word; false when it can't be. */
  operation(
    this: { tape: object },
    first: number,
    args: readonly Arg[],
    store: Cell | null,
    storeOffset: number,
    label: Label | null,
  ): boolean;
  /** Operations so far. */
  count(this: { tape: object }): number;
  /** The tape, behind the room for the executor; null when a label or a descriptor is missing. */
  link(
    tape: object,
    fds: Readonly<Record<string, number>>,
    versionAndMachine: number,
    cellsSize: number,
    reportFd: number,
  ): ArrayBuffer | null;
}

export const host = (globalThis as unknown as { __runts: Host }).__runts;
