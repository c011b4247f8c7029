/**
 * The command line of `runts pause`.
 *
 * @module
 */

import type { CommandSpec } from '../types.ts';

export const PAUSE: CommandSpec = {
  name: 'pause',
  summary: 'stop all processes of a container',
  operands: 'CONTAINER-ID',
  minOperands: 1,
  maxOperands: 1,
  description: 'Freezes the container: none of its processes runs until "runts resume".',
  flags: [],
};
