/**
 * The command line of `runts create`.
 *
 * @module
 */

import type { CommandSpec } from '../types.ts';
import { CONTAINER, CREATE_FLAGS } from './shared.ts';

export const CREATE: CommandSpec = {
  name: 'create',
  summary: 'create a container',
  operands: 'CONTAINER-ID',
  minOperands: 1,
  maxOperands: 1,
  description: `Creates a container from a bundle, a folder with a config.json and a root file system.
The container's process is prepared in full and waits: "runts start" lets it execute
process.args, "runts delete" removes it. runts itself exits when the container is created.

${CONTAINER}

With process.terminal true, --console-socket must be given. "runts plan" shows what create
would do. "runts spec" makes a config.json to begin with.`,
  flags: CREATE_FLAGS,
};
