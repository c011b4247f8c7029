import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { VERSION, versionText } from './version.ts';

test("the version is the package's", () => {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  assert.equal(VERSION, manifest.version);
});

test('engines can read it: Docker takes the last line with the word "version"', () => {
  const lines = versionText().trimEnd().split('\n');
  assert.equal(lines[0], `runts version ${VERSION}`);
  assert.match(lines[1] as string, /^commit: \S+$/);
  assert.equal(lines[2], 'spec: 1.3.0');
  assert.equal(lines.filter((line) => line.includes('version')).length, 1);
});
