/**
 * The command line of `runts run`.
 *
 * @module
 */

import type { CommandSpec } from '../types.ts';
import { CONTAINER, CREATE_FLAGS } from './shared.ts';

export const RUN: CommandSpec = {
  name: 'run',
  summary: 'create and start a container',
  operands: 'CONTAINER-ID',
  minOperands: 1,
  maxOperands: 1,
  exitsAs: 'that of the container (128+N if signal N ended it)',
  description: `Creates a container from a bundle and starts it. In the foreground runts relays signals and the
terminal, waits for the container, removes it, and exits with its status (128+N if signal N
ended it). With --detach runts exits once the container runs.

${CONTAINER}

Example:
    runts run --bundle /srv/web web`,
  flags: [
    ...CREATE_FLAGS,
    { name: 'detach', short: 'd', type: 'boolean', help: 'do not wait for the container' },
    { name: 'keep', type: 'boolean', help: 'do not remove the container when it has ended' },
    {
      name: 'no-subreaper',
      type: 'boolean',
      help: 'do not reap the orphans of the container (only without --detach)',
    },
  ],
};
