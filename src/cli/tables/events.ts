/**
 * The command line of `runts events`.
 *
 * @module
 */

import type { CommandSpec } from '../types.ts';

export const EVENTS: CommandSpec = {
  name: 'events',
  summary: 'print what a container uses, and when it runs out of memory',
  operands: 'CONTAINER-ID',
  minOperands: 1,
  maxOperands: 1,
  description: `Prints one line of JSON with the statistics of the container's cgroup at every interval, and one
whenever the kernel killed a process of it for lack of memory. Ends with the container.`,
  flags: [
    {
      name: 'interval',
      type: 'string',
      value: 'DURATION',
      default: '5s',
      help: 'time between statistics, e.g. 500ms, 5s or 1m',
    },
    { name: 'stats', type: 'boolean', help: 'print the statistics once' },
  ],
};
