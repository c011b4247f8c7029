/**
 * Programs compiled with Bun, as the product is: for tests of what an engine does differently.
 *
 * @module
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

const AUTOLOAD_OFF = ['dotenv', 'bunfig', 'tsconfig', 'package-json'].map(
  (what) => `--no-compile-autoload-${what}`,
);

/** The Bun that npm installed; undefined where it has none for this machine. */
export function findBun(): string | undefined {
  const machine = process.arch === 'arm64' ? 'aarch64' : process.arch;
  const bun = join(root, `node_modules/@oven/bun-linux-${machine}/bin/bun`);
  return existsSync(bun) && spawnSync(bun, ['--version']).status === 0 ? bun : undefined;
}

/**
 * Compiles a program. The native parts are beside it, as installed. It is removed when the process exits.
 *
 * @param entry - absolute path of a module
 * @returns the path of the executable, or undefined without Bun
 */
export function compileWithBun(entry: string): string | undefined {
  const bun = findBun();
  if (bun === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'runts-bun-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
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
  for (const asset of ['executor', 'koffi.node']) symlinkSync(join(root, 'dist', asset), join(folder, asset));
  return outfile;
}
