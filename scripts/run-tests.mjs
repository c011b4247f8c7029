// @ts-check
/**
 * Runs test files and reports: `node --import tsx scripts/run-tests.mjs [--check] FILE...`.
 *
 * Prints a line a file when it ends, then the failures, why tests were skipped, and the totals as the very last line.
 * `--check` counts the checks of check.mjs in. `--lines` prints outcomes as lines of JSON instead, for the run that
 * has this one in the test VM.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runChecks } from './check.mjs';
import { root } from './lib.mjs';
import { eachOf, runJob } from './test-jobs.mjs';
import { lineOf, Report, runFile } from './test-outcomes.mjs';

/** @typedef {import('./test-outcomes.mjs').Emit} Emit */

/** Two files at a time: the tests make containers, which are mostly the kernel's work. */
const AT_A_TIME = 2;

/** Those that take longest come first, so that none of them is left alone at the end. */
const LONG = [
  'conformance/side-by-side',
  'src/cli/main.test.ts',
  'test/bad-input.test.ts',
  'conformance/containerd',
  'conformance/podman',
  'conformance/docker',
  'src/commands/lifecycle.test.ts',
  'conformance/',
  'test/',
];

/** @param {string} text */
function print(text) {
  process.stdout.write(`${text}\n`);
}

const report = new Report();
/** What is not printed yet, by file. @type {Map<string, import('./test-outcomes.mjs').Outcome[]>} */
const pending = new Map();

/** @param {string} file @param {string} seconds */
function finish(file, seconds) {
  const outcomes = pending.get(file);
  pending.delete(file);
  if (outcomes !== undefined) print(lineOf(file, outcomes, seconds));
}

/** @type {Emit} */
function record(outcome) {
  report.add(outcome);
  if (outcome.kind === 'end') finish(outcome.file, outcome.text);
  else pending.set(outcome.file, [...(pending.get(outcome.file) ?? []), outcome]);
}

/** @param {string} file @returns {import('./test-jobs.mjs').Job} */
function jobOf(file) {
  return { name: file, run: (emit, signal) => runFile(file, emit, signal) };
}

/** Whether a file starts machines itself. @param {string} file */
function startsVm(file) {
  return /\brunInVm\b/.test(readFileSync(join(root, file), 'utf8'));
}

const args = process.argv.slice(2);
const given = args.filter((argument) => !argument.startsWith('--'));

if (args.includes('--lines')) {
  /** @type {Emit} */
  const write = (outcome) => print(JSON.stringify(outcome));
  await eachOf(given.map(jobOf), AT_A_TIME, (job) => runJob(job, write));
  process.exit(0);
}

async function checks() {
  for (const { name, ok, output } of await runChecks()) {
    record({ kind: ok ? 'pass' : 'fail', file: name, name, text: output });
    print(`${ok ? 'ok  ' : 'FAIL'} ${name}`);
    pending.delete(name);
  }
}

if (args.includes('--check')) await checks();
const place = (/** @type {string} */ file) =>
  LONG.findIndex((start) => file.startsWith(start)) + 1 || LONG.length + 1;
const files = given.sort((a, b) => place(a) - place(b));
const needVm = files.filter(startsVm);
const others = files.filter((file) => !needVm.includes(file));
await Promise.all([
  eachOf(others.map(jobOf), AT_A_TIME, (job) => runJob(job, record)),
  eachOf(needVm.map(jobOf), 1, (job) => runJob(job, record)),
]);
for (const file of pending.keys()) finish(file, '?');
print(report.text());
process.exit(report.totals.fail > 0 || report.totals.pass === 0 ? 1 : 0);
