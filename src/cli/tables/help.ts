/**
 * The command line of `runts help`.
 *
 * @module
 */

import type { CommandSpec } from '../types.ts';

/** Built in: shows the help of all or of one. */
export const HELP_COMMAND: CommandSpec = {
  name: 'help',
  aliases: ['h'],
  summary: 'show the list of commands or the help of one',
  operands: '[COMMAND]',
  minOperands: 0,
  maxOperands: 1,
  description: 'Shows the list of commands, or the help of one.',
  flags: [],
};
