/**
 * The command line of `runts kill`.
 *
 * @module
 */

import type { CommandSpec } from '../types.ts';
import { REGEX_FLAG } from './shared.ts';

export const KILL: CommandSpec = {
  name: 'kill',
  summary: 'send a signal to a container',
  operands: 'CONTAINER-ID [SIGNAL]',
  minOperands: 1,
  maxOperands: 2,
  description: `Sends SIGNAL (default: SIGTERM) to the container's init process. SIGNAL is a number or a name,
with or without SIG, in any case: 9, KILL, sigkill, RTMIN+3.

Example:
    runts kill web KILL`,
  flags: [
    {
      name: 'all',
      short: 'a',
      type: 'boolean',
      help: 'signal every process of the container; a stopped container is no error then',
    },
    REGEX_FLAG,
  ],
};
