import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Engine } from './engine.ts';
import { parseOptions } from './options.ts';
import { complaints, mergeCells } from './report.ts';

const run = (): void => {};

const engine: Engine<unknown> = {
  name: 'some',
  title: 'Some engine',
  runtimes: ['/bin/true'],
  programs: {},
  note: { host: 'On a host.', vm: 'In the VM.' },
  open: () => undefined,
  cases: [
    { name: 'run', run },
    { name: 'run -t', host: true, run },
    { name: 'run --memory', vm: true, run },
    { name: 'run --cpus', vm: true, known: 'No processors.', run },
  ],
  clear: () => {},
  version: () => '1',
};

test('the cases of each place, and those that are named or begin so', () => {
  const cases = (...args: string[]) => parseOptions(engine, args).cases;
  assert.deepEqual(cases(), ['run', 'run -t']);
  assert.deepEqual(cases('--vm'), ['run', 'run --memory', 'run --cpus']);
  assert.deepEqual(cases('--vm', '--only', 'run'), ['run']);
  assert.deepEqual(
    cases('--vm', '--only', 'run -', '--only', 'run'),
    engine.cases.map(({ name }) => name),
  );
  assert.throws(() => cases('--only', 'run --memory'), /no such case: run --memory/);
});

test('a run goes on where the last one stopped, for some seconds', () => {
  const { missing, seconds } = parseOptions(engine, ['--missing', '--seconds', '90']);
  assert.deepEqual([missing, seconds], [true, 90]);
  assert.throws(() => parseOptions(engine, ['--seconds', 'long']), /--seconds: no number: long/);
});

test('newer results take the place of earlier ones; what has no explanation is told', () => {
  const pass = { verdict: 'pass', reason: '' } as const;
  const fail = { verdict: 'fail', reason: 'wrong' } as const;
  const names = engine.cases.map(({ name }) => name);
  const earlier = { gone: { runts: pass }, 'run --cpus': { runts: pass }, run: { runc: pass } };
  const newer = { run: { runts: fail }, 'run --cpus': { runts: fail }, 'run -t': { runts: fail } };
  const cells = mergeCells(names, earlier, newer);
  assert.deepEqual(Object.keys(cells), ['run', 'run -t', 'run --cpus']);
  assert.deepEqual(complaints(engine, cells), [
    'run: fails, and passes for runc: wrong',
    'run -t: fails without an explanation: wrong',
  ]);
});
