/**
 * One program on each engine, built as the product is: for tests of what engines do differently.
 *
 * @module
 */

import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { buildProgram } from '../../scripts/build-program.mjs';

const root = join(import.meta.dirname, '../..');

/** Command lines by engine. */
export interface Programs {
  Node: readonly string[];
  QuickJS: readonly string[];
}

/** What test programs import of Node, and what they get under QuickJS. */
const ALIAS: Record<string, string> = {
  'node:assert/strict': 'test/harness/quickjs/assert.ts',
  'node:fs': 'test/harness/quickjs/fs.ts',
  'node:os': 'test/harness/quickjs/os.ts',
};

/**
 * Builds a program, with the native parts beside it, as installed. It is removed when this process exits.
 *
 * @param entry - absolute path of a module that exports `main`, which is called without arguments
 */
export async function buildPrograms(entry: string): Promise<Programs> {
  const folder = mkdtempSync(join(tmpdir(), 'runts-program-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const asset of ['executor', 'koffi.node']) symlinkSync(join(root, 'dist', asset), join(folder, asset));
  return { Node: bundleForNode(entry, folder), QuickJS: await compile(entry, folder) };
}

function bundleForNode(entry: string, folder: string): string[] {
  const outfile = join(folder, 'program.mjs');
  buildSync({
    stdin: {
      contents: `import { main } from ${JSON.stringify(entry)}; await main();`,
      resolveDir: root,
      loader: 'ts',
    },
    outfile,
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
  });
  return [process.execPath, outfile];
}

async function compile(entry: string, folder: string): Promise<string[]> {
  const outfile = join(folder, 'program');
  const start = join(folder, 'start.ts');
  writeFileSync(
    start,
    `import { onStart } from ${JSON.stringify(join(root, 'ffi/quickjs/process.ts'))};
     import { main } from ${JSON.stringify(entry)};
     onStart(() => void Promise.resolve().then(main).then(() => process.exit(0), (error) => {
       console.error(error.stack === undefined ? String(error) : error + '\\n' + error.stack);
       process.exit(1);
     }));`,
  );
  const executor = readFileSync(join(root, 'dist/executor')).toString('hex');
  const alias = Object.fromEntries(Object.entries(ALIAS).map(([name, file]) => [name, join(root, file)]));
  await buildProgram([start], outfile, { alias, defines: { RUNTS_EXECUTOR: JSON.stringify(executor) } });
  return [outfile];
}

/** A copy of a program of {@link buildPrograms} alone in a folder; the command line for it. */
export function copyAlone(program: readonly string[], folder: string): string[] {
  const copy = join(folder, program.length === 1 ? 'program' : 'program.mjs');
  copyFileSync(program.at(-1)!, copy);
  return [...program.slice(0, -1), copy];
}
