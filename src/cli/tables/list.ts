/**
 * The command line of `runts list`.
 *
 * @module
 */

import type { CommandSpec } from '../types.ts';

export const LIST: CommandSpec = {
  name: 'list',
  summary: 'list the containers',
  operands: '',
  minOperands: 0,
  maxOperands: 0,
  description: 'Lists the containers under --root.',
  flags: [
    {
      name: 'format',
      short: 'f',
      type: 'string',
      value: 'FORMAT',
      default: 'table',
      choices: ['table', 'json'],
      help: 'table or json',
    },
    { name: 'quiet', short: 'q', type: 'boolean', help: 'print only the ids' },
  ],
};
