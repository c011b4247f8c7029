/**
 * The command line of `runts ps`.
 *
 * @module
 */

import type { CommandSpec } from '../types.ts';
import { FORMAT_FLAG } from './shared.ts';

export const PS: CommandSpec = {
  name: 'ps',
  summary: 'list the processes of a container',
  operands: 'CONTAINER-ID [PS-ARG...]',
  minOperands: 1,
  maxOperands: Number.MAX_SAFE_INTEGER,
  flagsFirst: true,
  description: `Runs the host's ps with the given arguments (default: -ef) and prints the rows of the container's
processes, or prints their process ids as JSON.`,
  flags: [FORMAT_FLAG],
};
