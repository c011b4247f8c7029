/**
 * The command line of `runts delete`.
 *
 * @module
 */

import type { CommandSpec } from '../types.ts';
import { REGEX_FLAG } from './shared.ts';

export const DELETE: CommandSpec = {
  name: 'delete',
  summary: 'remove a container',
  operands: 'CONTAINER-ID',
  minOperands: 1,
  maxOperands: 1,
  description: `Removes a stopped container's cgroup and state, then runs the poststop hooks. With --force a
container that still runs is killed first, whatever is left of a half-made one is removed, and an
unknown container is no error.`,
  flags: [
    { name: 'force', short: 'f', type: 'boolean', help: 'kill the container first if it still runs' },
    REGEX_FLAG,
  ],
};
