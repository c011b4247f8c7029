// @ts-check
/**
 * `npm start [BUNDLE]`: from a fresh clone to a container. Installs, builds, and runs a sample bundle (`hello`).
 * Ends with the container's exit code.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { constants } from 'node:os';
import { join, relative } from 'node:path';
import { build } from './build.mjs';
import { installDependencies } from './dependencies.mjs';
import { childEnv, isRoot, main, root, ScriptError, say } from './lib.mjs';
import { makeRootfs, sampleBundles } from './make-rootfs.mjs';
import { ensurePrerequisites } from './prerequisites.mjs';

/**
 * Runs a command in the foreground; signals reach it, not this script.
 *
 * @param {readonly string[]} command
 * @returns {Promise<number>} its exit code
 */
function foreground([file = '', ...args]) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: root, env: childEnv(), stdio: 'inherit' });
    // A terminal sends its signals to both: wait for the container to end. Others are passed on.
    process.on('SIGINT', () => {});
    process.on('SIGQUIT', () => {});
    for (const signal of /** @type {const} */ (['SIGTERM', 'SIGHUP']))
      process.on(signal, () => child.kill(signal));
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']));
  });
}

await main(import.meta.url, async () => {
  const name = process.argv[2] ?? 'hello';
  const names = sampleBundles();
  if (!names.includes(name))
    throw new ScriptError(`no sample bundle '${name}'; there are ${names.join(', ')}`);

  installDependencies();
  ensurePrerequisites();
  const { command } = await build();
  const bundle = await makeRootfs(join(root, 'bundles', name));
  if (!isRoot) {
    throw new ScriptError('built, but the sample bundles need root: sudo env "PATH=$PATH" npm start');
  }
  const [file = '', ...first] = command.map((part) => (part.startsWith(root) ? relative(root, part) : part));
  const id = `${name}-${randomBytes(3).toString('hex')}`;
  const shown = [file, ...first, 'run', '--bundle', relative(root, bundle), id];
  say(`$ ${shown.join(' ')}`);
  process.exitCode = await foreground([...command, 'run', '--bundle', bundle, id]);
});
