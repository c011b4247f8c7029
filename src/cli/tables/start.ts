/**
 * The command line of `runts start`.
 *
 * @module
 */

import type { CommandSpec } from '../types.ts';
import { TRACE } from './shared.ts';

export const START: CommandSpec = {
  name: 'start',
  summary: 'start a created container',
  operands: 'CONTAINER-ID',
  minOperands: 1,
  maxOperands: 1,
  description: `Lets a created container execute the program of its config.json. A program that cannot be
executed is an error of this command.`,
  flags: [TRACE],
};
