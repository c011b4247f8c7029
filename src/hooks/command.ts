/**
 * Running one of the host's programs to its end, for what it prints.
 *
 * @module
 */

import type { ExitStatus } from '../../ffi/processes.ts';
import { findProgram, isProgram, ownEnvironment } from '../linux/programs.ts';
import { spawnOnHost } from './spawn.ts';
import { supervise } from './supervise.ts';

export interface CommandResult {
  status: ExitStatus;
  stdout: string;
  stderr: string;
}

/** More than ps(1) prints for as many processes as a host has. */
const OUTPUT_LIMIT = 1 << 28;

/**
 * Blocks until the program has ended. It has no input, and the environment of the runtime.
 *
 * @param name - looked up in PATH unless it has a slash
 * @returns undefined when there is no such program
 * @throws RuntsError when it can't be executed
 */
export function runCommand(name: string, args: readonly string[]): CommandResult | undefined {
  const path = !name.includes('/') ? findProgram(name) : isProgram(name) ? name : undefined;
  if (path === undefined) return undefined;
  const child = spawnOnHost({ path, argv: [name, ...args], env: ownEnvironment() });
  const { status, stdout, stderr } = supervise(child, new Uint8Array(0), undefined, -1, OUTPUT_LIMIT);
  return { status, stdout, stderr };
}
