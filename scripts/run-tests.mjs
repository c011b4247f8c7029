// @ts-check
/**
 * Runs test files with node:test and reports: `node --import tsx scripts/run-tests.mjs [--check] FILE...`.
 *
 * node:test starts each file in a process of its own with the options of this one, which is how tsx gets there.
 * Prints one line a file, then the failures, why tests were skipped, and the totals as the very last line.
 * `--check` counts the checks of check.mjs in.
 *
 * @module
 */
import { setMaxListeners } from 'node:events';
import { run } from 'node:test';
import { inspect } from 'node:util';
import { runChecks } from './check.mjs';
import { root } from './lib.mjs';

/** A test that takes longer hangs. So does the whole run when nothing ends for so long: not every Node's own limit
 * covers a file whose tests are over and whose process isn't. */
const TIMEOUT_MS = 600_000;

/** Two files at a time: the tests make containers, which are mostly the kernel's work. */
const CONCURRENCY = 2;

const totals = { passed: 0, failed: 0, skipped: 0 };
/** @type {string[]} */
const failures = [];
/** Names of skipped tests by reason. @type {Map<string, string[]>} */
const skips = new Map();

/** @param {string} text */
function print(text) {
  process.stdout.write(`${text}\n`);
}

/** @param {string} text */
function indent(text) {
  return text.replace(/^(?=.)/gm, '    ');
}

/** @param {string} file */
function shortName(file) {
  return file.startsWith(`${root}/`) ? file.slice(root.length + 1) : file;
}

/** What is worth reading of a failure: node:test wraps the test's own error. @param {unknown} error */
function describe(error) {
  if (error instanceof Error && 'exitCode' in error) {
    const { exitCode, signal } = /** @type {{ exitCode?: number, signal?: string }} */ (error);
    return `the file's process ended with ${signal ? `signal ${signal}` : `exit code ${exitCode}`}`;
  }
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  return cause.stack ?? inspect(cause);
}

/** The results of one file, printed when its last test is in. */
class FileReport {
  passed = 0;
  failed = 0;
  skipped = 0;
  output = '';
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    this.began = performance.now();
  }

  finish() {
    const { passed, failed, skipped } = this;
    totals.passed += passed;
    totals.failed += failed;
    totals.skipped += skipped;
    const parts = [`${passed} passed`];
    if (failed > 0) parts.push(`${failed} failed`);
    if (skipped > 0) parts.push(`${skipped} skipped`);
    print(`${failed > 0 ? 'FAIL' : 'ok  '} ${this.name}: ${parts.join(', ')}`);
    if (failed > 0 && this.output.trim() !== '') print(indent(this.output.trimEnd()));
  }
}

/** @type {FileReport | undefined} */
let current;

/** Events come file by file: another file's event means that the one before is complete. @param {string | undefined} file */
function reportOf(file) {
  const name = shortName(file ?? '(unknown file)');
  if (current === undefined || current.name !== name) {
    current?.finish();
    current = new FileReport(name);
  }
  return current;
}

/**
 * @typedef {object} TestEvent
 * @property {string} name
 * @property {string} [file]
 * @property {boolean | string} [skip]
 * @property {boolean | string} [todo]
 * @property {{ type?: string, error?: Error }} details
 */

/** @param {TestEvent} event @param {boolean} passed */
function onResult(event, passed) {
  const report = reportOf(event.file);
  const reason = event.skip ?? event.todo;
  if (reason !== undefined && reason !== false) {
    report.skipped++;
    const text =
      typeof reason === 'string' && reason !== ''
        ? reason
        : event.skip !== undefined
          ? 'no reason given'
          : 'to do';
    skips.set(text, [...(skips.get(text) ?? []), event.name]);
    return;
  }
  const isFile = event.name.endsWith('.test.ts') || event.name.endsWith('.test.mjs');
  const failure = /** @type {{ failureType?: string } | undefined} */ (event.details.error)?.failureType;
  if (failure === 'subtestsFailed') return;
  // A suite is the sum of its tests, and a file without tests is no test.
  if (passed && (event.details.type === 'suite' || isFile)) return;
  if (passed) {
    report.passed++;
  } else {
    report.failed++;
    failures.push(`${report.name}: ${event.name}\n${indent(describe(event.details.error))}`);
  }
}

async function checks() {
  for (const { name, ok, output } of await runChecks()) {
    print(`${ok ? 'ok  ' : 'FAIL'} ${name}`);
    if (ok) totals.passed++;
    else {
      totals.failed++;
      failures.push(`${name}\n${indent(output)}`);
    }
  }
}

const files = process.argv.slice(2).filter((argument) => argument !== '--check');
if (files.length < process.argv.length - 2) await checks();

if (files.length > 0) {
  const controller = new AbortController();
  // Each file listens to it.
  setMaxListeners(0, controller.signal);
  const watchdog = setTimeout(() => {
    totals.failed++;
    failures.push(`no test ended for ${TIMEOUT_MS / 1000} seconds: the run was stopped`);
    controller.abort();
  }, TIMEOUT_MS + 10_000);
  const stream = run({ files, concurrency: CONCURRENCY, timeout: TIMEOUT_MS, signal: controller.signal });
  for (const name of /** @type {const} */ (['test:pass', 'test:fail'])) {
    stream.on(name, (event) => {
      watchdog.refresh();
      onResult(event, name === 'test:pass');
    });
  }
  for (const name of /** @type {const} */ (['test:stdout', 'test:stderr'])) {
    stream.on(name, (event) => {
      reportOf(event.file).output += event.message;
    });
  }
  for await (const _ of stream);
  current?.finish();
}

if (failures.length > 0) print(`\nFailures:\n\n${failures.join('\n\n')}\n`);
for (const [reason, names] of skips) {
  print(`skipped (${reason}): ${names.length <= 3 ? names.join('; ') : `${names.length} tests`}`);
}
print(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exit(totals.failed > 0 || totals.passed === 0 ? 1 : 0);
