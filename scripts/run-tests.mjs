// @ts-check
/**
 * Runs test files and reports: `node --import tsx scripts/run-tests.mjs [--check] FILE...`.
 *
 * Prints a line a file when it ends, then the failures, why tests were skipped, and the totals as the very last line.
 * `--check` counts the checks of check.mjs in.
 *
 * @module
 */
import { runChecks } from './check.mjs';
import { eachOf, runJob } from './test-jobs.mjs';
import { lineOf, Report, runFile } from './test-outcomes.mjs';
import { needsVm, vmJobs } from './test-vm.mjs';

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
  'test/vm/checkpoint.test.ts',
  'test/vm/systemd.test.ts',
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
  else if (outcome.kind !== 'output' || outcome.text !== '')
    pending.set(outcome.file, [...(pending.get(outcome.file) ?? []), outcome]);
}

/** @param {string} file @returns {import('./test-jobs.mjs').Job} */
function jobOf(file) {
  return { name: file, run: (emit, signal) => runFile(file, emit, signal) };
}

/**
 * One after the other, as a machine is busy with all of a processor; two at a time when nothing else is left to do.
 *
 * @param {readonly string[]} files
 * @param {Promise<void>} others ends with the other tests
 */
async function runVmFiles(files, others) {
  if (files.length === 0) return others;
  const perform = (/** @type {import('./test-jobs.mjs').Job} */ job) => runJob(job, record);
  const jobs = (await vmJobs(files, jobOf, perform)).values();
  const worker = async () => {
    for (const job of jobs) await perform(job);
  };
  await Promise.all([worker(), others.then(worker)]);
}

const args = process.argv.slice(2);
const given = args.filter((argument) => !argument.startsWith('--'));

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
const others = files.filter((file) => !needsVm(file));
await runVmFiles(
  files.filter(needsVm),
  eachOf(others.map(jobOf), AT_A_TIME, (job) => runJob(job, record)),
);
for (const file of pending.keys()) finish(file, '');
print(report.text());
process.exit(report.totals.fail > 0 || report.totals.pass === 0 ? 1 : 0);
