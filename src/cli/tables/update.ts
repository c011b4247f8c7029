/**
 * The command line of `runts update`.
 *
 * @module
 */

import type { CommandSpec, FlagSpec } from '../types.ts';
import { textFlag } from './shared.ts';

const UPDATE_FLAGS: readonly FlagSpec[] = [
  {
    name: 'resources',
    short: 'r',
    type: 'string',
    value: 'FILE',
    help: 'read the change as JSON from this file, or from standard input with -',
  },
  textFlag('memory', 'SIZE', 'memory; -1 for no limit'),
  textFlag('memory-reservation', 'SIZE', 'memory that is protected from being reclaimed'),
  textFlag('memory-swap', 'SIZE', 'memory and swap together; -1 for unlimited swap'),
  textFlag('cpu-share', 'N', "relative weight of the container's processor time, 2 to 262144"),
  textFlag('cpu-quota', 'USEC', 'processor time in each period, in microseconds; -1 for no limit'),
  textFlag('cpu-period', 'USEC', 'the period of the quota, in microseconds'),
  textFlag('cpu-burst', 'USEC', 'quota that may be saved up for a burst, in microseconds'),
  textFlag('cpu-idle', 'N', '1 to run only when nothing else does, 0 to run normally'),
  textFlag('cpuset-cpus', 'LIST', 'processors that may be used, e.g. 0-3,7'),
  textFlag('cpuset-mems', 'LIST', 'memory nodes that may be used'),
  textFlag('pids-limit', 'N', 'processes and threads; -1 for no limit'),
  textFlag('blkio-weight', 'N', 'relative weight of block I/O, 10 to 1000'),
  textFlag('l3-cache-schema', 'SCHEMA', "L3 cache of the container's resctrl class, e.g. L3:0=f0;1=f"),
  textFlag('mem-bw-schema', 'SCHEMA', "memory bandwidth of the container's resctrl class, e.g. MB:0=20;1=70"),
  { ...textFlag('cpu-rt-runtime', 'USEC', 'realtime quota; only cgroup v1 has it'), hidden: true },
  { ...textFlag('cpu-rt-period', 'USEC', 'realtime period; only cgroup v1 has it'), hidden: true },
  { ...textFlag('kernel-memory', 'SIZE', 'ignored'), hidden: true },
  { ...textFlag('kernel-memory-tcp', 'SIZE', 'ignored'), hidden: true },
];

export const UPDATE: CommandSpec = {
  name: 'update',
  summary: 'change the limits of a container',
  operands: 'CONTAINER-ID',
  minOperands: 1,
  maxOperands: 1,
  description: `Changes limits of a created, running or paused container. What is not named stays as it is; when
the kernel refuses a value, nothing is changed. Sizes are bytes, or have a unit: k, m, g, t.

With --resources the change is a JSON object as linux.resources of config.json, and the other
flags are ignored. Device rules in it are ignored too.

Example:
    runts update --memory 256m --pids-limit 100 web`,
  flags: UPDATE_FLAGS,
};
