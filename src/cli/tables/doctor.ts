/**
 * The command line of `runts doctor`.
 *
 * @module
 */

import type { CommandSpec } from '../types.ts';
import { JSON_FLAG } from './shared.ts';

export const DOCTOR: CommandSpec = {
  name: 'doctor',
  summary: 'show what this host offers to containers',
  operands: '',
  minOperands: 0,
  maxOperands: 0,
  description: `Checks the kernel, cgroups, namespaces, seccomp, security modules and helpers, and prints for
each ok, degraded or missing, with what to do about it. Exits with 1 when no container can run
here.`,
  flags: [JSON_FLAG],
};
