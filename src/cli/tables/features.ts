/**
 * The command line of `runts features`.
 *
 * @module
 */

import type { CommandSpec } from '../types.ts';

export const FEATURES: CommandSpec = {
  name: 'features',
  summary: 'print what this build implements',
  operands: '',
  minOperands: 0,
  maxOperands: 0,
  description: `Prints as JSON what this build of runts implements: namespaces, capabilities, mount options,
seccomp and the rest, in the format of the runtime specification (features.md). It does not
depend on the host, but for linux.seccomp.supportedFlags.`,
  flags: [],
};
