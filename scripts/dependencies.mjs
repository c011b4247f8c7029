// @ts-check
/**
 * Installs the npm packages when package-lock.json asks for other ones than node_modules holds.
 *
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { root, run, ScriptError, say } from './lib.mjs';

/** The oldest Node that the project supports (package.json `engines`). */
const OLDEST_NODE = 20;

/** @typedef {{ version?: string, optional?: boolean, link?: boolean }} LockedPackage */

/** @param {string} file @returns {Record<string, LockedPackage>} */
function lockedPackages(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages ?? {};
}

/** True when every locked package is there in its locked version. npm keeps its own record in node_modules. */
function upToDate() {
  const record = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(record)) return false;
  const installed = lockedPackages(record);
  return Object.entries(lockedPackages(join(root, 'package-lock.json'))).every(([path, wanted]) => {
    if (path === '') return true;
    const have = installed[path];
    // Packages for other platforms are locked too, marked as optional, and left out by npm.
    return have === undefined ? wanted.optional === true : have.version === wanted.version;
  });
}

/** @throws {ScriptError} when Node is too old or npm fails */
export function installDependencies() {
  if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
    throw new ScriptError(`Node ${OLDEST_NODE} or later is needed; this is ${process.versions.node}`);
  }
  if (upToDate()) return;
  say('installing dependencies (npm ci)');
  // The npm that started this script, when it was npm: PATH may hold another one, or under sudo none.
  const npm = process.env.npm_execpath;
  const [file, ...args] = npm && basename(npm) === 'npm-cli.js' ? [process.execPath, npm] : ['npm'];
  run(file, [...args, 'ci', '--no-audit', '--no-fund', '--loglevel=error'], { env: process.env });
}
