/**
 * The command line of `runts plan`.
 *
 * @module
 */

import type { CommandSpec } from '../types.ts';
import { BUNDLE, CONSOLE_SOCKET, JSON_FLAG, NO_NEW_KEYRING, NO_PIVOT } from './shared.ts';

export const PLAN: CommandSpec = {
  name: 'plan',
  summary: 'show what create would do, without doing it',
  operands: '[CONTAINER-ID]',
  minOperands: 0,
  maxOperands: 1,
  description: `Prints every step of create on the host and every system call inside the container, one a line.
Nothing is done: no privileges and no root file system are needed.`,
  flags: [BUNDLE, CONSOLE_SOCKET, NO_PIVOT, NO_NEW_KEYRING, JSON_FLAG],
};
