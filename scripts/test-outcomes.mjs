// @ts-check
/**
 * What becomes of tests: node:test's events of one file as outcomes, and outcomes as a report.
 *
 * @module
 */
import { run } from 'node:test';
import { inspect } from 'node:util';
import { root } from './lib.mjs';

/**
 * What a file of tests says. A plain object, as the tests in the VM send it as a line of JSON.
 *
 * @typedef {object} Outcome
 * @property {'pass' | 'fail' | 'skip' | 'output' | 'end'} kind
 * @property {string} file relative to the project's folder
 * @property {string} name the test's
 * @property {string} text of a failure what is wrong, of a skip the reason, of output itself, of the file's end the
 *   seconds that it took
 */

/** @typedef {(outcome: Outcome) => void} Emit */

/** @param {string} text */
export function indent(text) {
  return text.replace(/^(?=.)/gm, '    ');
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

/**
 * @typedef {object} TestEvent
 * @property {string} name
 * @property {boolean | string} [skip]
 * @property {boolean | string} [todo]
 * @property {{ type?: string, error?: Error }} details
 */

/**
 * Undefined for what is no test: a suite that passes is the sum of its tests, a file likewise, and what fails because a
 * test in it fails has been said.
 *
 * @param {TestEvent} event
 * @param {boolean} passed
 * @returns {Omit<Outcome, 'file'> | undefined}
 */
function outcomeOf({ name, skip, todo, details }, passed) {
  const reason = skip ?? todo;
  if (reason !== undefined && reason !== false) {
    const said = typeof reason === 'string' && reason !== '';
    return { kind: 'skip', name, text: said ? reason : skip !== undefined ? 'no reason given' : 'to do' };
  }
  const failure = /** @type {{ failureType?: string } | undefined} */ (details.error)?.failureType;
  if (failure === 'subtestsFailed') return undefined;
  if (!passed) return { kind: 'fail', name, text: describe(details.error) };
  if (details.type === 'suite' || /\.test\.(ts|mjs)$/.test(name)) return undefined;
  return { kind: 'pass', name, text: '' };
}

/**
 * Runs a file's tests in a process of its own, which gets this one's options: that is how tsx gets there.
 *
 * @param {string} file relative to the project's folder
 * @param {Emit} emit
 * @param {AbortSignal} signal ends it
 */
export async function runFile(file, emit, signal) {
  const began = performance.now();
  const stream = run({ files: [`${root}/${file}`], signal });
  for (const name of /** @type {const} */ (['test:pass', 'test:fail'])) {
    stream.on(name, (event) => {
      const outcome = outcomeOf(event, name === 'test:pass');
      if (outcome !== undefined) emit({ file, ...outcome });
    });
  }
  for (const name of /** @type {const} */ (['test:stdout', 'test:stderr'])) {
    stream.on(name, (event) => emit({ kind: 'output', file, name: '', text: event.message }));
  }
  for await (const _ of stream);
  emit({ kind: 'end', file, name: '', text: ((performance.now() - began) / 1000).toFixed(1) });
}

/** The results of a run. */
export class Report {
  totals = { pass: 0, fail: 0, skip: 0 };
  /** @type {string[]} */
  failures = [];
  /** Names of skipped tests by reason. @type {Map<string, string[]>} */
  #skips = new Map();

  /** @param {Outcome} outcome */
  add({ kind, file, name, text }) {
    if (kind === 'output' || kind === 'end') return;
    this.totals[kind]++;
    if (kind === 'fail') this.failures.push(`${name === file ? file : `${file}: ${name}`}\n${indent(text)}`);
    if (kind === 'skip') this.#skips.set(text, [...(this.#skips.get(text) ?? []), name]);
  }

  /** The failures, why tests were skipped, and last the totals. */
  text() {
    const { pass, fail, skip } = this.totals;
    const failures = this.failures.length > 0 ? [`\nFailures:\n\n${this.failures.join('\n\n')}\n`] : [];
    const skips = [...this.#skips].map(
      ([reason, names]) =>
        `skipped (${reason}): ${names.length <= 3 ? names.join('; ') : `${names.length} tests`}`,
    );
    return [...failures, ...skips, `${pass} passed, ${fail} failed, ${skip} skipped`].join('\n');
  }
}

/** What one file's line says. @param {readonly Outcome[]} outcomes @param {string} file @param {string} seconds empty when unknown */
export function lineOf(file, outcomes, seconds) {
  const number = (/** @type {Outcome['kind']} */ kind) => outcomes.filter((one) => one.kind === kind).length;
  const failed = number('fail');
  const parts = [`${number('pass')} passed`];
  if (failed > 0) parts.push(`${failed} failed`);
  if (number('skip') > 0) parts.push(`${number('skip')} skipped`);
  const line = `${failed > 0 ? 'FAIL' : 'ok  '} ${file}: ${parts.join(', ')}${seconds === '' ? '' : ` (${seconds} s)`}`;
  // Why is told at the end of the run, which may be far.
  const names = outcomes
    .flatMap(({ kind, name }) => (kind === 'fail' ? [`\n    failed: ${name}`] : []))
    .join('');
  const output = outcomes.flatMap(({ kind, text }) => (kind === 'output' ? [text] : [])).join('');
  return failed > 0 && output.trim() !== '' ? `${line}${names}\n${indent(output.trimEnd())}` : line + names;
}
