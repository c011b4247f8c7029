import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseOptions } from './options.ts';

test('defaults', () => {
  const options = parseOptions([], '/results');
  assert.equal(options.rounds, 20);
  assert.equal(options.warmup, 3);
  assert.equal(options.json, '/results/bench.json');
  assert.equal(options.svg, '/results/bench.svg');
  assert.deepEqual(options.profiles, ['default', 'docker']);
  assert.deepEqual(
    [options.mounts, options.others],
    [
      [1, 100],
      [1, 100],
    ],
  );
  assert.ok(options.memory && options.syscalls);
});

test('--quick is short and writes no files unless asked', () => {
  const options = parseOptions(['--quick'], '/results');
  assert.deepEqual([options.rounds, options.warmup], [5, 1]);
  assert.deepEqual([options.json, options.svg], [undefined, undefined]);
  const asked = parseOptions(['--quick', '--json', 'x.json', '--rounds', '7'], '/results');
  assert.deepEqual([asked.rounds, asked.json, asked.svg], [7, 'x.json', undefined]);
});

test('--full measures everything, unless asked otherwise', () => {
  const options = parseOptions(['--full', '--mounts', '1000,7', '--others='], '/results');
  assert.deepEqual(options.profiles, ['default', 'docker', 'bare', 'seccomp']);
  assert.deepEqual([options.mounts, options.others], [[7, 1000], []]);
  assert.ok(options.fleets.some((fleet) => fleet.containers === 500 && fleet.concurrency === 8));
  assert.throws(() => parseOptions(['--full', '--quick'], ''), /--quick and --full/);
});

test('--also adds to the usual runtimes', () => {
  const options = parseOptions(['--also', 'old=/opt/runts'], '/results');
  assert.deepEqual([options.runtimes, options.also], [[], ['old=/opt/runts']]);
});

test('an empty file name means no file', () => {
  assert.equal(parseOptions(['--json='], '/results').json, undefined);
});

test('lists are split at commas and may be repeated', () => {
  const options = parseOptions(
    ['--only', 'run,state', '--only', 'exec', '--runtimes', 'crun,old=/opt/runts', '--fleet', '10x1,100x8'],
    '/results',
  );
  assert.deepEqual(options.only, ['run', 'state', 'exec']);
  assert.deepEqual(options.runtimes, ['crun', 'old=/opt/runts']);
  assert.deepEqual(options.fleets, [
    { containers: 10, concurrency: 1 },
    { containers: 100, concurrency: 8 },
  ]);
});

test('bad values are named', () => {
  assert.throws(() => parseOptions(['--rounds', '0'], ''), /--rounds: "0"/);
  assert.throws(() => parseOptions(['--rounds', '1.5'], ''), /--rounds: "1.5"/);
  assert.throws(() => parseOptions(['--warmup=-1'], ''), /--warmup: "-1"/);
  assert.throws(() => parseOptions(['--fleet', '100'], ''), /--fleet: "100"/);
  assert.throws(() => parseOptions(['--fleet', '0x1'], ''), /--fleet: "0"/);
  assert.throws(() => parseOptions(['--round', '3'], ''), /--round/);
  assert.throws(() => parseOptions(['run'], ''), /run/);
});
