/**
 * `runts completion SHELL`: the script that completes runts' command line in a shell.
 *
 * @module
 */

import { completion, SHELLS, type Shell } from '../cli/completion/index.ts';
import { print } from '../cli/output.ts';
import type { CommandContext } from '../cli/types.ts';
import { RuntsError } from '../errors.ts';

export function run(ctx: CommandContext): number {
  const shell = SHELLS.find((name) => name === ctx.operands[0]) as Shell | undefined;
  if (shell === undefined) {
    throw new RuntsError('E_USAGE', `no completion for ${JSON.stringify(ctx.operands[0])}`, {
      hint: SHELLS.join(', '),
    });
  }
  print(completion(shell));
  return 0;
}
