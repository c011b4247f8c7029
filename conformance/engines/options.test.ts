import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { bundle } from './bundle.ts';
import type { Engine } from './engine.ts';
import { parseOptions } from './options.ts';

const run = () => {};

const engine: Engine<unknown> = {
  name: 'engine',
  title: 'Engine',
  programs: {},
  note: { host: '', vm: '' },
  vm: { onlyMarked: true },
  open: run,
  cases: [
    { name: 'run', run },
    { name: 'run --memory', vm: true, run },
    { name: 'stop', vm: 'too', run },
  ],
  clear: run,
  version: () => '',
};

const parse = (...args: string[]) => parseOptions(engine, ['--runtimes', '/bin/true', ...args]);

test('each place has its cases', () => {
  assert.deepEqual(parse().cases, ['run', 'stop']);
  assert.deepEqual(parse('--vm').cases, ['run --memory', 'stop']);
});

test('--only: a case of this name, or those that begin so', () => {
  assert.deepEqual(parse('--vm', '--only', 'run').cases, ['run']);
  assert.deepEqual(parse('--vm', '--only', 'ru', '--only', 'stop').cases, ['run', 'run --memory', 'stop']);
  assert.throws(() => parse('--only', 'start'), /no such case: start/);
});

test('--missing and --seconds', () => {
  assert.deepEqual([parse().missing, parse().seconds], [false, Number.POSITIVE_INFINITY]);
  assert.deepEqual([parse('--missing').missing, parse('--seconds', '2.5').seconds], [true, 2.5]);
  assert.throws(() => parse('--seconds', 'few'), /--seconds: no number: few/);
});

test('what works in the VM, as plain JavaScript, knows where its sources are', async () => {
  const { stderr } = spawnSync(process.execPath, [await bundle(), 'docker', '--only', 'nothing'], {
    encoding: 'utf8',
  });
  assert.match(stderr, /docker: no such case: nothing/);
});
