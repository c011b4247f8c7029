/**
 * One program on each engine, built as the product is: for tests of what engines do differently.
 *
 * @module
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';

const root = join(import.meta.dirname, '../..');

const AUTOLOAD_OFF = ['dotenv', 'bunfig', 'tsconfig', 'package-json'].map(
  (what) => `--no-compile-autoload-${what}`,
);

/** Command lines by engine; undefined where the engine has no build for this machine. */
export interface Programs {
  Node: readonly string[];
  Bun: readonly string[] | undefined;
}

/**
 * Builds a program, with the native parts beside it, as installed. It is removed when this process exits.
 *
 * @param entry - absolute path of a module
 */
export function buildPrograms(entry: string): Programs {
  const folder = mkdtempSync(join(tmpdir(), 'runts-program-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  for (const asset of ['executor', 'koffi.node']) symlinkSync(join(root, 'dist', asset), join(folder, asset));
  return { Node: bundleForNode(entry, folder), Bun: compileWithBun(entry, folder) };
}

function bundleForNode(entry: string, folder: string): string[] {
  const outfile = join(folder, 'program.mjs');
  buildSync({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
  });
  return [process.execPath, outfile];
}

function compileWithBun(entry: string, folder: string): string[] | undefined {
  const machine = process.arch === 'arm64' ? 'aarch64' : process.arch;
  const bun = join(root, `node_modules/@oven/bun-linux-${machine}/bin/bun`);
  if (!existsSync(bun) || spawnSync(bun, ['--version']).status !== 0) return undefined;
  const outfile = join(folder, 'program');
  const args = [
    'build',
    '--compile',
    '--bytecode',
    '--format=esm',
    ...AUTOLOAD_OFF,
    '--outfile',
    outfile,
    entry,
  ];
  const env = { PATH: process.env.PATH, HOME: folder, TMPDIR: folder };
  const { status, stderr } = spawnSync(bun, args, { cwd: folder, env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`bun build ${entry}: ${stderr}`);
  return [outfile];
}
