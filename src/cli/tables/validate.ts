/**
 * The command line of `runts validate`.
 *
 * @module
 */

import type { CommandSpec } from '../types.ts';
import { BUNDLE, JSON_FLAG } from './shared.ts';

export const VALIDATE: CommandSpec = {
  name: 'validate',
  summary: 'check a config.json',
  operands: '',
  minOperands: 0,
  maxOperands: 0,
  description: `Checks a bundle's config.json against the runtime specification and prints every violation with
its path. Exits with 0 when there is none.`,
  flags: [BUNDLE, JSON_FLAG],
};
