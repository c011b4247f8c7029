/**
 * Debian packages that only a VM sees: unpacked into a layer over the host's root. Nothing is installed on the host
 * and no maintainer script runs.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { withLock } from './lock.ts';
import { layerFolder, packageFolder } from './paths.ts';
import { aptGet, runProgram } from './programs.ts';

/** Top folders that are links into /usr on the host: a folder in the layer would hide what the host has there. */
const MERGED = ['bin', 'sbin', 'lib', 'lib32', 'lib64'];

function moveIntoUsr(folder: string): void {
  for (const name of MERGED) {
    const from = join(folder, name);
    if (!existsSync(from) || lstatSync(from).isSymbolicLink()) continue;
    cpSync(from, join(folder, 'usr', name), { recursive: true, verbatimSymlinks: true });
    rmSync(from, { recursive: true });
  }
}

/**
 * The layer with these packages and those that they depend on and the host lacks.
 *
 * @returns its folder
 * @throws {VmError} when apt doesn't find one
 */
export async function packageLayer(names: readonly string[]): Promise<string> {
  const wanted = [...new Set(names)].sort();
  // What the host lacks of the dependencies changes with what is installed there.
  const installed = readFileSync('/var/lib/dpkg/status');
  const key = createHash('sha256').update(wanted.join(' ')).update(installed).digest('hex').slice(0, 16);
  const folder = join(layerFolder, key);
  if (existsSync(folder)) return folder;
  return withLock([join(layerFolder, 'layers.lock')], () => {
    if (existsSync(folder)) return folder;
    process.stderr.write(`vm: unpacking ${wanted.join(' ')}\n`);
    const downloads = join(packageFolder, key);
    const fresh = `${folder}.new`;
    mkdirSync(join(downloads, 'partial'), { recursive: true });
    rmSync(fresh, { recursive: true, force: true });
    mkdirSync(fresh, { recursive: true });
    const archives = ['-o', `Dir::Cache::archives=${downloads}`];
    const what = ['-y', '-qq', '--no-install-recommends', '--download-only', '--reinstall'];
    aptGet(['install', ...what, ...archives, ...wanted]);
    for (const file of readdirSync(downloads).filter((name) => name.endsWith('.deb'))) {
      runProgram('dpkg-deb', ['-x', join(downloads, file), fresh]);
    }
    moveIntoUsr(fresh);
    rmSync(downloads, { recursive: true });
    renameSync(fresh, folder);
    return folder;
  });
}
