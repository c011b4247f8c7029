/**
 * The command line of `runts completion`.
 *
 * @module
 */

import type { CommandSpec } from '../types.ts';

export const COMPLETION: CommandSpec = {
  name: 'completion',
  summary: 'print the completion script of a shell',
  operands: 'SHELL',
  minOperands: 1,
  maxOperands: 1,
  description: `Prints a script that completes the command line of runts. SHELL is bash, zsh or fish.

Examples:
    source <(runts completion bash)            # in ~/.bashrc
    source <(runts completion zsh)             # in ~/.zshrc, after compinit
    runts completion fish | source             # in ~/.config/fish/config.fish`,
  flags: [],
};
