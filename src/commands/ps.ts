/**
 * `runts ps`: the processes of a container, as the host's ps(1) shows them, or their pids as JSON.
 *
 * @module
 */

import { processesIn } from '../cgroup/processes.ts';
import { print } from '../cli/output.ts';
import type { CommandContext } from '../cli/types.ts';
import { cgroupOf, find } from '../container/running.ts';
import { cgroupDirectory } from '../container/state.ts';
import { notRunning, RuntsError } from '../errors.ts';

export async function run(ctx: CommandContext): Promise<number> {
  const [id = '', ...args] = ctx.operands;
  const format = ctx.flags.format;
  if (format !== 'table' && format !== 'json') {
    throw new RuntsError('E_USAGE', 'invalid format option', { hint: 'table or json' });
  }
  const { state, status } = find(ctx.global.root, id);
  if (status === 'stopped' || status === 'creating') throw notRunning();
  const pids = processesIn(cgroupDirectory(cgroupOf(state)));
  if (format === 'json') {
    print(`${JSON.stringify(pids)}\n`);
    return 0;
  }
  const { runCommand } = await import('../hooks/command.ts');
  const result = runCommand('ps', args.length > 0 ? args : ['-ef']);
  if (result === undefined) {
    throw new RuntsError('E_UNSUPPORTED', 'ps: not found in $PATH', {
      hint: 'install ps: apt-get install procps',
    });
  }
  if (result.status.code !== 0) throw new RuntsError('E_USAGE', `ps: ${result.stderr.trim()}`);
  print(rowsOf(result.stdout, new Set(pids)));
  return 0;
}

/** The heading and the rows whose PID column is one of these. Throws without such a column. */
export function rowsOf(table: string, pids: ReadonlySet<number>): string {
  const [heading = '', ...rows] = table.split('\n');
  const column = heading.trim().split(/\s+/).indexOf('PID');
  if (column < 0) {
    throw new RuntsError('E_USAGE', "couldn't find PID field in ps output", {
      hint: 'the arguments for ps must make it print a column PID',
    });
  }
  const kept = rows.filter((row) => pids.has(Number(row.trim().split(/\s+/)[column])));
  return `${[heading, ...kept].join('\n')}\n`;
}
