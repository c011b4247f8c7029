import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDuration } from './duration.ts';

for (const [text, milliseconds] of [
  ['5s', 5000],
  ['500ms', 500],
  ['1m30s', 90_000],
  ['0.5s', 500],
  ['2h', 7_200_000],
  ['0', 0],
] as const) {
  test(`${text} is ${milliseconds} ms`, () => assert.equal(parseDuration(text), milliseconds));
}

for (const text of ['', '5', 's', '5 s', '-5s', '5x', '1e3s']) {
  test(`${JSON.stringify(text)} is no duration`, () => assert.equal(parseDuration(text), undefined));
}
