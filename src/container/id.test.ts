import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RuntsError } from '../errors.ts';
import { checkId, isId } from './id.ts';

test('ids that callers use are accepted', () => {
  for (const id of ['a', 'A9', 'web-1', 'a_b+c.d', '.hidden', '...', '-x', 'f'.repeat(64), 'x'.repeat(255)]) {
    assert.doesNotThrow(() => checkId(id), id);
  }
});

test('everything that is not one plain file name is refused with the texts that callers match', () => {
  const bad = [
    '.',
    '..',
    '.cache',
    'a/b',
    '../x',
    '/',
    'a b',
    'a\n',
    '\n',
    'a\0',
    'ä',
    '~',
    'a:b',
    'x'.repeat(256),
  ];
  for (const id of bad) {
    assert.equal(isId(id), false);
    assert.throws(
      () => checkId(id),
      (error: unknown) =>
        error instanceof RuntsError &&
        error.code === 'E_ID_INVALID' &&
        error.message.startsWith('invalid container ID format: '),
      JSON.stringify(id),
    );
  }
  assert.throws(() => checkId(''), { message: 'container id cannot be empty' });
});

test('the message about a very long id stays short', () => {
  assert.throws(
    () => checkId('x'.repeat(100_000)),
    (error: unknown) => error instanceof Error && error.message.length < 200,
  );
});
