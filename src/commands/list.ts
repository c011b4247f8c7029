/**
 * `runts list`: the containers below --root, as a table, as JSON or as ids.
 *
 * @module
 */

import { readdirSync } from '#files';
import { print } from '../cli/output.ts';
import { errnoText } from '../cli/present.ts';
import type { CommandContext } from '../cli/types.ts';
import { isId } from '../container/id.ts';
import { type ContainerState, readState } from '../container/state.ts';
import { type StateOutput, stateOutput } from '../container/status.ts';
import { errnoOf, RuntsError } from '../errors.ts';
import { hostUsers, userNames } from '../linux/users.ts';
import { log } from '../log.ts';

const HEADER = ['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER'] as const;
/** Least width of a column and the space after its longest cell: runc's tabwriter settings, which scripts cut by. */
const MIN_WIDTH = 12;
const PADDING = 3;

/** Control characters of a path would break the table apart: they are shown as in JSON. */
function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f]/g, (c) => JSON.stringify(c).slice(1, -1));
}

/** Lays out rows in columns, each as wide as its longest cell needs. The last column is not padded. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(MIN_WIDTH, ...rows.map((row) => [...(row[column] ?? '')].length + PADDING)),
  );
  const lines = rows.map((row) =>
    row
      .map((cell, column) =>
        column === row.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - [...cell].length),
      )
      .join(''),
  );
  return `${lines.join('\n')}\n`;
}

/** Every usable state below `root`, by id; what can't be read is warned of and left out. */
function readAll(root: string, explicit: boolean): ContainerState[] {
  let names: string[];
  try {
    names = readdirSync(root);
  } catch (error) {
    const errno = errnoOf(error);
    // The default folder appears with the first container; one that was named should be there.
    if (errno === 'ENOENT' && !explicit) return [];
    throw new RuntsError('E_ROOT', `cannot list containers: open ${root}: ${errnoText(error)}`, {
      syscall: 'open',
      errno,
      hint: 'see --root',
      cause: error,
    });
  }
  const states: ContainerState[] = [];
  for (const id of names.filter(isId).sort()) {
    try {
      states.push(readState(root, id));
    } catch (error) {
      if (!(error instanceof RuntsError)) throw error;
      // Deleted since the folder was listed, or a file that is no container.
      if (error.code !== 'E_NOT_FOUND') log.warn(error.message);
    }
  }
  return states;
}

function withOwners(states: readonly ContainerState[]): StateOutput[] {
  const names = userNames(hostUsers());
  return states.map((state) => stateOutput(state, names.get(state.owner) ?? `#${state.owner}`));
}

export async function run(ctx: CommandContext): Promise<number> {
  const format = ctx.flags.format ?? 'table';
  if (format !== 'table' && format !== 'json') {
    throw new RuntsError('E_USAGE', 'invalid format option', { hint: `${format}: table and json are known` });
  }
  const states = readAll(ctx.global.root, ctx.global.rootExplicit);
  if (ctx.flags.quiet === true) {
    print(states.map((state) => `${state.id}\n`).join(''));
    return 0;
  }
  const containers = withOwners(states);
  if (format === 'json') {
    print(`${containers.length === 0 ? 'null' : JSON.stringify(containers)}\n`);
    return 0;
  }
  const rows = containers.map((c) => [
    c.id,
    String(c.pid),
    c.status,
    printable(c.bundle),
    c.created,
    c.owner,
  ]);
  print(table([HEADER, ...rows]));
  return 0;
}
