/** docs/features.md has every field of a config, and names tests that exist. */

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fullSpec } from './spec/sample-full.ts';

const DOCS = new URL('../docs/', import.meta.url);
const text = readFileSync(new URL('features.md', DOCS), 'utf8');
const rows = text.split('\n').filter((line) => line.startsWith('| `'));
const fields = rows.map((row) => /^\| `([^`]+)`/.exec(row)![1]!);

/** Paths of what is in a value: `mounts.type`, without numbers of arrays. */
function pathsIn(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return [path, ...value.flatMap((item) => pathsIn(item, path))];
  if (typeof value !== 'object' || value === null) return [path];
  return Object.entries(value).flatMap(([key, item]) => pathsIn(item, path === '' ? key : `${path}.${key}`));
}

test('every field of a config has a row, or what it is part of has', () => {
  const missing = [...new Set(pathsIn(fullSpec()))].filter(
    (path) =>
      !fields.some((field) => path === field || path.startsWith(`${field}.`) || field.startsWith(`${path}.`)),
  );
  assert.deepEqual(missing, []);
});

test('every row is of a field that there is, once', () => {
  const known = new Set(pathsIn(fullSpec()));
  const unknown = fields.filter(
    (field) => ![...known].some((path) => path === field || path.startsWith(`${field}.`)),
  );
  assert.deepEqual(unknown, []);
  assert.equal(new Set(fields).size, fields.length);
});

test('every row names a test, and files that exist', () => {
  for (const row of rows) assert.match(row, /\]\(\.\.\/[^)]+\.test\.ts\)/, row);
  for (const [, path] of text.matchAll(/\]\(([^)]+)\)/g)) assert.ok(existsSync(new URL(path!, DOCS)), path);
});
