/**
 * What a tape says of a system call in one word, for each machine.
 *
 * @module
 */

import { type Machine, SYSCALLS, type SyscallName } from './syscalls.ts';

/** By machine and name: system call number << 16 | number of parameters; -1 for one that the machine lacks. */
export const CALL_WORDS: Readonly<Record<Machine, Readonly<Record<SyscallName, number>>>> = {
  x64: numbersOf('x64'),
  arm64: numbersOf('arm64'),
};

function numbersOf(machine: Machine): Record<SyscallName, number> {
  const numbers: Partial<Record<SyscallName, number>> = {};
  for (const name of Object.keys(SYSCALLS) as SyscallName[]) {
    const { [machine]: number, parameters } = SYSCALLS[name];
    numbers[name] = number < 0 ? -1 : (number << 16) | Object.keys(parameters).length;
  }
  return numbers as Record<SyscallName, number>;
}
