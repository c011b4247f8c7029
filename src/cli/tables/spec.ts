/**
 * The command line of `runts spec`.
 *
 * @module
 */

import type { CommandSpec } from '../types.ts';
import { BUNDLE } from './shared.ts';

export const SPEC: CommandSpec = {
  name: 'spec',
  summary: 'write a config.json to begin with',
  operands: '',
  minOperands: 0,
  maxOperands: 0,
  description: `Writes a config.json that runs a shell in the folder "rootfs" beside it. An existing config.json
is not overwritten.

Example:
    mkdir -p web/rootfs/bin && cp /bin/busybox web/rootfs/bin/sh      # a static one
    runts spec --bundle web`,
  flags: [
    { ...BUNDLE, help: 'the folder to write config.json to' },
    { name: 'rootless', type: 'boolean', help: 'make a config.json for an ordinary user' },
  ],
};
