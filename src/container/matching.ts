/**
 * Several containers by a regular expression, for `kill --regex` and `delete --regex`.
 *
 * @module
 */

import { readdirSync } from '#files';
import { errnoOf, RuntsError } from '../errors.ts';
import { logError } from '../log.ts';
import { isId } from './id.ts';

/**
 * The ids below `root` in which the expression is found, in order. It is not anchored: write `^web$` for one.
 *
 * @throws RuntsError E_ID_INVALID for an empty one, E_USAGE for what is no regular expression
 */
export function matchingIds(root: string, expression: string): string[] {
  // It matches every container: what a script with an unset variable would delete.
  if (expression === '') {
    throw new RuntsError('E_ID_INVALID', 'container id cannot be empty', {
      hint: '.* matches all containers',
    });
  }
  let pattern: RegExp;
  try {
    pattern = new RegExp(expression, 'u');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new RuntsError('E_USAGE', `--regex: ${why}`, {
      hint: 'e.g. ^web- for all ids that begin so',
      cause,
    });
  }
  let names: string[];
  try {
    names = readdirSync(root);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return [];
    throw new RuntsError('E_ROOT', `cannot list ${root}`, { errno: errnoOf(cause), cause });
  }
  return names.filter((name) => isId(name) && pattern.test(name)).sort();
}

/**
 * Does the same to each container. All are tried; every failure is told.
 *
 * @returns exit code: 1 when one has failed
 */
export async function forEachId(
  ids: readonly string[],
  act: (id: string) => Promise<unknown>,
): Promise<number> {
  let code = 0;
  for (const id of ids) {
    try {
      await act(id);
    } catch (error) {
      logError(error);
      code = 1;
    }
  }
  return code;
}
