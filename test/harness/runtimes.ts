/**
 * The runtimes that the integration tests are run with.
 *
 * @module
 */

import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';

const root = join(import.meta.dirname, '../..');

export interface Runtime {
  /** For the names of tests. */
  name: string;
  command: readonly string[];
}

/**
 * The runtimes under test: what `npm run build` made for each engine, or the one that the environment variable RUNTS
 * names: a path, or a name in PATH (`RUNTS=runc`).
 *
 * @throws Error when nothing is built
 */
export function runtimes(): Runtime[] {
  const given = process.env.RUNTS;
  if (given) return [{ name: basename(given), command: commandOf(given) }];
  const built = [
    { name: 'runts (QuickJS)', path: join(root, 'dist/runts') },
    { name: 'runts (Node)', path: join(root, 'dist/runts.mjs') },
  ].filter(({ path }) => existsSync(path));
  if (built.length === 0) throw new Error('there is no runtime to test; run: npm run build');
  return built.map(({ name, path }) => ({ name, command: commandOf(path) }));
}

function commandOf(path: string): string[] {
  return path.endsWith('.mjs') ? [process.execPath, path] : [path];
}
