import assert from 'node:assert/strict';
import { mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { RuntsError } from '../errors.ts';
import { errnoText, present } from './present.ts';

function thrown(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return assert.fail('nothing was thrown');
}

test('our own errors are shown as they are', () => {
  const error = new RuntsError('E_EXEC', 'text', { hint: 'remedy', exitCode: 127 });
  const { code, message, exitCode } = present(error);
  assert.deepEqual({ code, message, exitCode }, { code: 'E_EXEC', message: 'text (remedy)', exitCode: 127 });
});

test("a failed system call reads as in Go, with strerror's words", () => {
  const text = (action: () => unknown) => {
    const { code, message } = present(thrown(action));
    assert.equal(code, 'E_SYSCALL');
    return message;
  };
  assert.equal(
    text(() => openSync('/nowhere/x', 'r')),
    'open /nowhere/x: no such file or directory',
  );
  assert.equal(
    text(() => openSync('/dev/null/x', 'r')),
    'open /dev/null/x: not a directory',
  );
  assert.equal(
    text(() => readFileSync('/')),
    'read: is a directory',
  );
  assert.equal(
    text(() => mkdirSync('/proc')),
    'mkdir /proc: file exists',
  );
  assert.equal(
    text(() => writeFileSync('/dev/full', 'x')),
    'write: no space left on device',
  );
  assert.equal(
    text(() => renameSync('/nowhere/x', '/y')),
    'rename /nowhere/x /y: no such file or directory',
  );
});

test('anything else is an internal error', () => {
  const { code, message, stack } = present(new TypeError('x is not a function'));
  assert.equal(code, 'E_INTERNAL');
  assert.match(message, /^internal error: x is not a function \(/);
  assert.match(stack ?? '', /present\.test/);
  assert.match(present('a string').message, /^internal error: a string/);
  assert.match(present(undefined).message, /^internal error: undefined/);
  // A Node error with a code that is no errno.
  assert.equal(present(thrown(() => openSync('a\0b', 'r'))).code, 'E_INTERNAL');
});

test('errno words', () => {
  assert.equal(errnoText(Object.assign(new Error('odd text'), { code: 'EWHAT' })), 'EWHAT');
  assert.equal(errnoText(new Error('plain')), 'plain');
  assert.equal(errnoText('x'), 'x');
});
