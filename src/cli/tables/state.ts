/**
 * The command line of `runts state`.
 *
 * @module
 */

import type { CommandSpec } from '../types.ts';

export const STATE: CommandSpec = {
  name: 'state',
  summary: 'print the state of a container',
  operands: 'CONTAINER-ID',
  minOperands: 1,
  maxOperands: 1,
  description: `Prints the container's state as JSON, as the runtime specification defines it: its status is
creating, created, running, paused or stopped.`,
  flags: [],
};
