import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outcomeOf } from './tap.ts';

const done = { stderr: '', status: 0, timedOut: false };

test('assertions are counted, at the margin only', () => {
  const stdout = '1..3\nok 1 - a\nnot ok 2 - b\n  ---\n  not ok 3 - quoted\n  ...\nok 3 # SKIP c\n';
  const outcome = outcomeOf({ ...done, stdout });
  assert.deepEqual(outcome, { verdict: 'fail', passed: 1, failed: 1, skipped: 1, reason: 'b' });
});

test('a failing assertion that is to do counts as none', () => {
  assert.equal(outcomeOf({ ...done, stdout: 'ok 1 - a\nnot ok 2 - b # TODO later\n1..1\n' }).verdict, 'pass');
});

test('an error without an assertion is a failure, though the program exits 0', () => {
  const stdout = 'TAP version 13\n  ---\n  error: hooks MUST be called in order\n  ...\n1..0\n';
  const outcome = outcomeOf({ ...done, stdout });
  assert.deepEqual([outcome.verdict, outcome.reason], ['fail', 'hooks MUST be called in order']);
});

test('a program without assertions and without an error passes, whatever it provoked', () => {
  assert.equal(outcomeOf({ ...done, stdout: '1..0\n', stderr: 'failed to create' }).verdict, 'pass');
});

test('an exit code, a missing assertion and the time limit are failures', () => {
  assert.equal(outcomeOf({ ...done, stdout: 'ok 1\n1..1\n', status: 1 }).verdict, 'fail');
  assert.equal(outcomeOf({ ...done, stdout: '1..2\nok 1\n' }).reason, '1 of 2 assertions.');
  assert.equal(outcomeOf({ ...done, stdout: 'ok 1\n1..1\n', timedOut: true }).verdict, 'fail');
});

test('only skipped assertions make a skip, with the reason', () => {
  const outcome = outcomeOf({ ...done, stdout: '1..1\nok 1 # SKIP no SELinux\n' });
  assert.deepEqual([outcome.verdict, outcome.reason], ['skip', 'no SELinux']);
});
