/**
 * Completion scripts for shells, from the tables of the command line.
 *
 * @module
 */

import { bash } from './bash.ts';
import { fish } from './fish.ts';
import type { Shell } from './words.ts';
import { zsh } from './zsh.ts';

export { SHELLS, type Shell } from './words.ts';

/** The completion script of a shell. */
export function completion(shell: Shell): string {
  return { bash, zsh, fish }[shell]();
}
