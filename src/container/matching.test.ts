import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { test } from 'node:test';
import { RuntsError } from '../errors.ts';
import { temporaryDirectory } from './fixture.ts';
import { forEachId, matchingIds } from './matching.ts';

test('the expression is found anywhere in an id; the cache of filters is no container', (t) => {
  const root = temporaryDirectory(t);
  for (const id of ['web-1', 'web-2', 'db', '.cache']) mkdirSync(`${root}/${id}`);
  assert.deepEqual(matchingIds(root, 'web'), ['web-1', 'web-2']);
  assert.deepEqual(matchingIds(root, '^web-[12]$'), ['web-1', 'web-2']);
  assert.deepEqual(matchingIds(root, '2|d'), ['db', 'web-2']);
  assert.deepEqual(matchingIds(root, '^eb'), []);
  assert.deepEqual(matchingIds(`${root}/none`, '.'), []);
});

test('what is no regular expression is a mistake of the caller', (t) => {
  const root = temporaryDirectory(t);
  assert.throws(
    () => matchingIds(root, 'web['),
    (error) => error instanceof RuntsError && error.code === 'E_USAGE',
  );
});

test('a failure does not keep the others from their turn', async () => {
  const done: string[] = [];
  const act = async (id: string) => {
    if (id === 'b') throw new RuntsError('E_NOT_FOUND', 'container does not exist: b');
    done.push(id);
  };
  assert.equal(await forEachId(['a', 'b', 'c'], act), 1);
  assert.deepEqual(done, ['a', 'c']);
  assert.equal(await forEachId(['a'], act), 0);
});
