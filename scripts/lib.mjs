// @ts-check
/**
 * What the scripts share. No dependencies: `npm start` and `npm test` run these before `npm ci` has.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, realpathSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's folder, absolute. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The environment for programs that these scripts start: Node reads that certificate file at every start. */
export function childEnv() {
  const env = { ...process.env };
  delete env.NODE_EXTRA_CA_CERTS;
  return env;
}

/** One line of progress. On stderr, so that a container's output is alone on stdout. @param {string} text */
export function say(text) {
  process.stderr.write(`${text}\n`);
}

/** A failure that the user can act on: printed without a stack by `main`. */
export class ScriptError extends Error {}

/**
 * Runs a program to its end with its output on stderr.
 *
 * @param {string} file
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnSyncOptions} [options]
 * @throws {ScriptError} when it can't be started or fails
 */
export function run(file, args, options = {}) {
  const result = spawnSync(file, args, { cwd: root, env: childEnv(), stdio: ['ignore', 2, 2], ...options });
  if (result.error) throw new ScriptError(`${file}: ${result.error.message}`);
  if (result.status !== 0) {
    const how = result.signal === null ? `exit code ${result.status}` : `signal ${result.signal}`;
    throw new ScriptError(`${file} ${args.join(' ')}: ${how}`);
  }
}

/**
 * What a program prints, without the last newline; undefined when it fails or is missing.
 *
 * @param {string} file
 * @param {readonly string[]} args
 */
export function capture(file, args) {
  const result = spawnSync(file, args, { cwd: root, env: childEnv(), encoding: 'utf8' });
  return result.error || result.status !== 0 ? undefined : result.stdout.trimEnd();
}

/** The first executable file of that name in PATH. @param {string} name */
export function which(name) {
  // Administrators' folders too: they are missing from an ordinary user's PATH.
  const folders = `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`.split(delimiter);
  for (const folder of folders) {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      if (folder !== '' && statSync(file).isFile()) return file;
    } catch {
      // Not there: the next folder.
    }
  }
  return undefined;
}

export const isRoot = process.getuid?.() === 0;

/**
 * Calls `body` when the module is the program that was started, and turns what it throws into a message.
 *
 * @param {string} moduleUrl the module's `import.meta.url`
 * @param {() => unknown} body
 */
export async function main(moduleUrl, body) {
  const started = process.argv[1];
  if (started === undefined || realpathSync(started) !== fileURLToPath(moduleUrl)) return;
  try {
    await body();
  } catch (error) {
    say(
      error instanceof ScriptError
        ? `error: ${error.message}`
        : String((error instanceof Error && error.stack) || error),
    );
    process.exitCode ||= 1;
  }
}
