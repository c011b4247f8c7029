// @ts-check
/**
 * `npm run check`: types, format and lint. Prints what is wrong; exit code 1 with any finding.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { generate } from './build.mjs';
import { installDependencies } from './dependencies.mjs';
import { childEnv, main, root, say } from './lib.mjs';

const CHECKS = [
  { name: 'types (tsc)', command: ['tsc', '--noEmit'] },
  { name: 'format and lint (biome)', command: ['biome', 'check', '--colors=off', '--max-diagnostics=50'] },
];

/**
 * @typedef {object} CheckResult
 * @property {string} name
 * @property {boolean} ok
 * @property {string} output what the tool printed
 */

/**
 * @param {typeof CHECKS[number]} check
 * @returns {Promise<CheckResult>}
 */
function runCheck({ name, command: [tool = '', ...args] }) {
  return new Promise((resolve) => {
    const child = spawn(join(root, 'node_modules/.bin', tool), args, { cwd: root, env: childEnv() });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    child.on('error', (error) => resolve({ name, ok: false, output: error.message }));
    child.on('close', (code) => resolve({ name, ok: code === 0, output: output.trimEnd() }));
  });
}

/** Runs all checks beside each other. Dependencies and generated code must be there. */
export function runChecks() {
  return Promise.all(CHECKS.map(runCheck));
}

await main(import.meta.url, async () => {
  installDependencies();
  await generate();
  for (const { name, ok, output } of await runChecks()) {
    say(`${ok ? 'ok  ' : 'FAIL'} ${name}`);
    if (!ok) {
      say(output);
      process.exitCode = 1;
    }
  }
});
