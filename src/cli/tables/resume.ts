/**
 * The command line of `runts resume`.
 *
 * @module
 */

import type { CommandSpec } from '../types.ts';

export const RESUME: CommandSpec = {
  name: 'resume',
  summary: 'let a paused container go on',
  operands: 'CONTAINER-ID',
  minOperands: 1,
  maxOperands: 1,
  description: 'Thaws a container that "runts pause" froze.',
  flags: [],
};
