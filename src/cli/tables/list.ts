/**
 * The command line of `runts list`.
 *
 * @module
 */

import type { CommandSpec } from '../types.ts';
import { FORMAT_FLAG } from './shared.ts';

export const LIST: CommandSpec = {
  name: 'list',
  summary: 'list the containers',
  operands: '',
  minOperands: 0,
  maxOperands: 0,
  description: 'Lists the containers under --root.',
  flags: [FORMAT_FLAG, { name: 'quiet', short: 'q', type: 'boolean', help: 'print only the ids' }],
};
