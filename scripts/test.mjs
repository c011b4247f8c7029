// @ts-check
/**
 * `npm test [-- PATH...]`: installs, builds, checks types and format, and runs the tests.
 *
 * With paths (files or folders) only the tests there, without the checks. The last line is always
 * `N passed, N failed, N skipped`; the exit code is 1 with a failure, or when nothing ran.
 *
 * @module
 */
import { spawn, spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { build } from './build.mjs';
import { installDependencies } from './dependencies.mjs';
import { filesBelow } from './incremental.mjs';
import { childEnv, main, root, ScriptError, say } from './lib.mjs';
import { makeRootfs, sampleBundles } from './make-rootfs.mjs';
import { ensurePrerequisites } from './prerequisites.mjs';

/** Unit tests lie beside the sources; those in test/ and conformance/ run the built program. */
const FOLDERS = ['src', 'ffi', 'schemas', 'scripts', 'bench', 'test', 'conformance'];

/** @param {readonly string[]} given @returns {string[]} test files relative to the project's folder */
function findTests(given) {
  const paths =
    given.length > 0 ? given.map((path) => resolve(path)) : FOLDERS.map((name) => join(root, name));
  const files = paths.flatMap((path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) throw new ScriptError(`no such test: ${path}`);
    return stat.isDirectory() ? filesBelow(path, /\.test\.(ts|mjs)$/) : [path];
  });
  return files.map((file) => relative(root, file));
}

/** Container engines and the like, which take their time to come. Without them tests are skipped. */
function installSoftware() {
  const argv = ['--import', 'tsx', 'conformance/main.ts', 'install'];
  const child = spawn(process.execPath, argv, { cwd: root, env: childEnv(), stdio: ['ignore', 2, 2] });
  return new Promise((resolve) => child.once('close', resolve).once('error', resolve));
}

await main(import.meta.url, async () => {
  const given = process.argv.slice(2);
  const tests = findTests(given);
  installDependencies();
  ensurePrerequisites();
  const installed = process.env.RUNTS_TEST_INSTALL === '1' ? installSoftware() : undefined;
  await build();
  await installed;
  for (const name of sampleBundles()) await makeRootfs(join(root, 'bundles', name));

  say(`running ${tests.length} test files`);
  const runner = [
    '--import',
    'tsx',
    'scripts/run-tests.mjs',
    ...(given.length > 0 ? [] : ['--check']),
    ...tests,
  ];
  const { status } = spawnSync(process.execPath, runner, { cwd: root, env: childEnv(), stdio: 'inherit' });
  process.exitCode = status ?? 1;
});
