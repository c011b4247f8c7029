/** How test files are run, and what is made of their results. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { root } from './lib.mjs';
import { eachOf, runJob } from './test-jobs.mjs';
import { lineOf, Report } from './test-outcomes.mjs';

/** @typedef {import('./test-outcomes.mjs').Outcome} Outcome */

/** A file of tests in a folder of its own. @param {import('node:test').TestContext} t @param {string} text */
function fileOf(t, text) {
  const folder = mkdtempSync(join(tmpdir(), 'runts-runner-test-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'a.test.mjs');
  writeFileSync(file, `import { describe, test } from 'node:test';\n${text}`);
  return relative(root, file);
}

/** What a run of a file says, without its end; in a process that is not itself a test's. @param {string} file */
function outcomesOf(file) {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { stdout } = spawnSync(process.execPath, ['scripts/test-lines.mjs', file], {
    cwd: root,
    env,
    encoding: 'utf8',
  });
  /** @type {Outcome[]} */
  const outcomes = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(outcomes.pop()?.kind, 'end');
  return outcomes;
}

test('a file says what became of each test', (t) => {
  const outcomes = outcomesOf(
    fileOf(
      t,
      `test('good', () => console.log('said'));
      test('bad', () => { throw new Error('broken'); });
      test('left out', { skip: 'why not' }, () => {});
      test('later', (t) => t.todo('some day'));
      describe('a suite', () => test('inner', () => {}));
      describe('no suite', { skip: 'none' }, () => test('nothing', () => {}));
      test('outer', async (t) => { await t.test('within', () => { throw new Error('deep'); }); });`,
    ),
  );
  const of = (/** @type {string} */ kind) => outcomes.filter((one) => one.kind === kind);
  assert.deepEqual(
    of('pass').map(({ name }) => name),
    ['good', 'inner'],
  );
  assert.deepEqual(
    of('fail').map(({ name }) => name),
    ['bad', 'within'],
  );
  assert.match(of('fail')[0]?.text ?? '', /^Error: broken\n/);
  assert.deepEqual(
    of('skip').map(({ name, text }) => [name, text]),
    [
      ['left out', 'why not'],
      ['later', 'some day'],
      ['no suite', 'none'],
    ],
  );
  assert.equal(
    of('output')
      .map(({ text }) => text)
      .join(''),
    'said\n',
  );
});

test('a file that ends before its tests do is a failure', (t) => {
  const outcomes = outcomesOf(fileOf(t, `test('first', () => process.kill(process.pid, 'SIGKILL'));`));
  assert.deepEqual(
    outcomes.map(({ kind, text }) => [kind, text]),
    [['fail', "the file's process ended with signal SIGKILL"]],
  );
});

test('the report has failures, skips by reason, and the totals last', () => {
  const report = new Report();
  const outcome = { file: 'x.test.ts', text: '' };
  for (const name of ['a', 'b']) report.add({ ...outcome, kind: 'pass', name });
  report.add({ ...outcome, kind: 'fail', name: 'c', text: 'wrong\nvery' });
  for (const name of ['d', 'e', 'f', 'g']) report.add({ ...outcome, kind: 'skip', name, text: 'no VM' });
  report.add({ ...outcome, kind: 'skip', name: 'h', text: 'not root' });
  assert.equal(
    report.text(),
    '\nFailures:\n\nx.test.ts: c\n    wrong\n    very\n\n' +
      'skipped (no VM): 4 tests\nskipped (not root): h\n2 passed, 1 failed, 5 skipped',
  );
});

test('a file with failures shows them and its output', () => {
  /** @type {(kind: Outcome['kind'], text?: string) => Outcome} */
  const one = (kind, text = '') => ({ kind, file: 'x', name: 'n', text });
  assert.equal(lineOf('x', [one('pass'), one('output', 'said\n')], '1.0'), 'ok   x: 1 passed (1.0 s)');
  assert.equal(
    lineOf('x', [one('fail'), one('skip'), one('output', 'said\n')], '1.0'),
    'FAIL x: 0 passed, 1 failed, 1 skipped (1.0 s)\n    failed: n\n    said',
  );
});

test('a job that says nothing for long is stopped, with its process', async () => {
  /** @type {Outcome[]} */
  const outcomes = [];
  /** @type {import('node:child_process').ChildProcess | undefined} */
  let child;
  const ended = new Promise((resolve) => {
    const name = `hangs-${process.pid}`;
    const run = () =>
      new Promise(() => {
        child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', name], { stdio: 'ignore' });
        child.once('exit', (_, signal) => resolve(signal));
      });
    void runJob({ name, run: /** @type {() => Promise<void>} */ (run) }, (one) => outcomes.push(one), 50, 50);
  });
  assert.equal(await ended, 'SIGKILL');
  assert.deepEqual(
    outcomes.map(({ kind, text }) => [kind, text]),
    [['fail', 'it was stopped: nothing was heard of it for 0.05 seconds']],
  );
});

test('a job that says something now and then is let alone; what it throws is a failure', async () => {
  /** @type {Outcome[]} */
  const outcomes = [];
  const silence = 2000;
  const run = async (/** @type {import('./test-outcomes.mjs').Emit} */ emit) => {
    for (let i = 0; i < 5; i++) {
      emit({ kind: 'pass', file: 'f', name: String(i), text: '' });
      await new Promise((resolve) => setTimeout(resolve, silence / 4));
    }
    throw new Error('at last');
  };
  await runJob({ name: 'talks', run }, (one) => outcomes.push(one), silence);
  assert.deepEqual(
    outcomes.map(({ kind }) => kind),
    ['pass', 'pass', 'pass', 'pass', 'pass', 'fail'],
  );
  assert.match(outcomes.at(-1)?.text ?? '', /^Error: at last/);
});

test('so many at a time, in order', async () => {
  /** @type {number[]} */
  const begun = [];
  let now = 0;
  let most = 0;
  await eachOf([1, 2, 3, 4, 5], 2, async (item) => {
    begun.push(item);
    most = Math.max(most, ++now);
    await new Promise((resolve) => setImmediate(resolve));
    now--;
  });
  assert.deepEqual(begun, [1, 2, 3, 4, 5]);
  assert.equal(most, 2);
});
