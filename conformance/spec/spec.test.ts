import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problemOf, REQUIREMENTS, testExists } from './main.ts';

test('requirements are listed once', () => {
  const lines = REQUIREMENTS.map(({ level, section, text }) => `${section}: ${level} ${text}`);
  const twice = lines.filter((line, i) => lines.indexOf(line) !== i);
  assert.deepEqual(twice, []);
});

test('tests that are named are there', () => {
  const absent = REQUIREMENTS.flatMap(({ tests }) => tests).filter((name) => !testExists(name));
  assert.deepEqual(absent, []);
});

test('a test is found by its name, also of a template', () => {
  const file = 'conformance/spec/spec.test.ts';
  assert.ok(testExists(`${file}: requirements are listed once`));
  assert.ok(testExists('test/hooks.test.ts: *: a failing * hook fails create, and nothing is left'));
  assert.ok(!testExists(`${file}: ${['no', 'such', 'name'].join(' ')}`));
  assert.ok(!testExists(`no/such/file.test.ts: requirements are listed once`));
});

test('a requirement without a test is a problem, unless it is exempt', () => {
  const requirement = { level: 'MUST', section: 'x', text: 'y', tests: [] } as const;
  assert.equal(problemOf(requirement), 'no test');
  assert.equal(problemOf({ ...requirement, exempt: 'why' }), undefined);
});
