/**
 * Small programs for the executor, for checks.
 *
 * @module
 */

import { currentMachine } from '../engine.ts';
import { executorFile } from '../executor-file.ts';
import { bytes, Program, stringArray } from '../program.ts';
import { assemble, image } from '../tape.ts';

/** The descriptor that the programs report on. */
export const REPORT = 99;

/** The image of a program. */
export function makeImage(build: (program: Program) => void): Uint8Array {
  const program = new Program();
  build(program);
  const tape = assemble(program, { machine: currentMachine(), fds: {}, reportFd: REPORT });
  return image(executorFile(), tape);
}

/** A program that executes a command, which inherits what the executor got. */
export function command(args: readonly string[]): Uint8Array {
  return makeImage((program) => {
    program.call('execve', [args[0]!, stringArray(args), stringArray([])]);
    program.call('exit_group', [127]);
  });
}

/** A program that exits at once. */
export const exits = (code: number): Uint8Array => makeImage((program) => program.call('exit_group', [code]));

/** A program that exits after a while. */
export function sleeping(nanoseconds: bigint, code: number): Uint8Array {
  return makeImage((program) => {
    const time = bytes(
      new Uint8Array(new BigInt64Array([nanoseconds / 1_000_000_000n, nanoseconds % 1_000_000_000n]).buffer),
    );
    program.call('ppoll', [0, 0, time, 0, 0]);
    program.call('exit_group', [code]);
  });
}
