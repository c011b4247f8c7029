/**
 * `runts doctor`: what this host offers to containers, and what to do about the rest.
 *
 * @module
 */

import { existsSync } from '#files';
import { assetPath, isCompiled } from '../../ffi/engine.ts';
import { print } from '../cli/output.ts';
import type { CommandContext } from '../cli/types.ts';
import { CHECKS, type Finding } from '../doctor/checks.ts';
import { type Host, thisHost } from '../doctor/host.ts';
import { versionText } from '../version.ts';

/** A check with what it found. */
export interface Result extends Finding {
  name: string;
}

/** All checks of a host. */
export function examine(host: Host): Result[] {
  return CHECKS.map(({ name, check }) => ({ name, ...check(host) }));
}

function installation(): Result {
  const needed = isCompiled() ? [] : (['executor', 'koffi.node'] as const);
  const absent = needed.map(assetPath).filter((path) => !existsSync(path));
  const [version = ''] = versionText().split('\n');
  if (absent.length === 0) return { name: 'runts', verdict: 'ok', found: version };
  return {
    name: 'runts',
    verdict: 'missing',
    found: `${version}, without ${absent.join(', ')}`,
    remedy: 'install runts again: these files belong beside the program',
  };
}

/** The report as text: a line a check, and below it what to do. */
export function report(results: readonly Result[]): string {
  const width = Math.max(...results.map(({ name }) => name.length));
  return results
    .map(({ name, verdict, found, remedy }) => {
      const line = `${verdict.padEnd(8)}  ${name.padEnd(width)}  ${found}`;
      return remedy === undefined ? `${line}\n` : `${line}\n${' '.repeat(12 + width)}${remedy}\n`;
    })
    .join('');
}

/** Exits with 1 when no container can run here. */
export async function run(ctx: CommandContext): Promise<number> {
  const { examineCriu } = await import('../criu/check.ts');
  const results = [installation(), ...examine({ ...thisHost(), criu: await examineCriu() })];
  print(ctx.flags.json === true ? `${JSON.stringify(results, null, 2)}\n` : report(results));
  return results.some(({ verdict }) => verdict === 'missing') ? 1 : 0;
}
