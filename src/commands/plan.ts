/**
 * `runts plan`: what `create` would do, step by step and system call by system call, without doing it.
 *
 * @module
 */

import { formatProgram, programToJson } from '../../ffi/format.ts';
import { print } from '../cli/output.ts';
import type { CommandContext } from '../cli/types.ts';
import { prepare } from '../container/prepare.ts';
import { log } from '../log.ts';
import { planCreate } from '../plan/create.ts';
import { formatHostSteps } from '../plan/format.ts';

export async function run(ctx: CommandContext): Promise<number> {
  const id = ctx.operands[0] ?? 'CONTAINER-ID';
  const { spec, options, facts } = await prepare(ctx, {
    id,
    mode: 'create',
    foreground: false,
    dryRun: true,
  });
  const plan = planCreate(spec, options, facts);
  if (ctx.flags.json === true) {
    print(
      `${JSON.stringify({ host: plan.host, init: programToJson(plan.program), warnings: plan.warnings }, null, 2)}\n`,
    );
    return 0;
  }
  for (const warning of plan.warnings) log.warn(warning);
  const lines = ['# host', ...formatHostSteps(plan.host), '', '# container', ...formatProgram(plan.program)];
  print(`${lines.join('\n')}\n`);
  return 0;
}
