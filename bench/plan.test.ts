import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeResults, encodePlan, interleave, type Sample } from './plan.ts';
import { seededRandom } from './random.ts';

const sample: Sample = {
  key: 'k',
  concurrency: 2,
  lanes: [
    {
      pidFile: '/run/pid',
      steps: [
        { kind: 'run', argv: ['/bin/a', 'b c', ''], slot: 's' },
        { kind: 'wait', argv: [] },
        { kind: 'clean', argv: ['/bin/d'] },
      ],
    },
    { steps: [{ kind: 'run', argv: ['/bin/e'] }] },
  ],
};

test('a plan is a list of tokens that end in NUL, spaces and empty arguments kept', () => {
  const tokens = encodePlan([sample], () => 'first').split('\0');
  assert.equal(tokens.pop(), '');
  assert.deepEqual(tokens, [
    ...['P', 'first', 'S', '2', '2'],
    ...['L', '/run/pid', '3', 'r', '3', '/bin/a', 'b c', '', 'w', 'c', '1', '/bin/d'],
    ...['L', '', '1', 'r', '1', '/bin/e'],
  ]);
});

test('results are sorted into their samples', () => {
  const text = [
    'R 0 0 0 1000 200 300 1200 9 0 1 2 0',
    'T 0 1100 250 350',
    'R 1 1 2 5000 1 2 900 9 0 1 2 3',
    'E 1 1 2 3 no such thing: x',
    'T 1 5100 1 2',
    '',
  ].join('\n');
  const [first, second] = decodeResults(text, 2);
  assert.deepEqual(first, {
    wallNs: 1100,
    cpuUs: 600,
    steps: [{ lane: 0, step: 0, wallNs: 1000, userUs: 200, sysUs: 300, maxRssKB: 1200, status: 0 }],
    failures: [],
  });
  assert.equal(second?.steps[0]?.status, 3);
  assert.deepEqual(second?.failures, [{ lane: 1, step: 2, status: 3, text: 'no such thing: x' }]);
});

test('results that are cut short or unknown are refused', () => {
  assert.throws(() => decodeResults('R 0 0 0 1 1 1 1 1 1 1 1 0\n', 1), /sample 0 of 1 has no result/);
  assert.throws(() => decodeResults('T 4 1 1 1\n', 1), /unknown sample/);
  assert.throws(() => decodeResults('X 0\n', 1), /unknown result/);
});

test('every round has every entry of every group once, groups in order', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 0, max: 6 }),
      fc.integer(),
      (sizes, rounds, seed) => {
        const groups = sizes.map((size, g) => Array.from({ length: size }, (_, i) => ({ g, i })));
        const order = interleave(
          groups.map((entries) => ({ entries })),
          rounds,
          seededRandom(seed),
        );
        assert.equal(order.length, rounds);
        for (const round of order) {
          assert.deepEqual(
            round.map((entry) => entry.g),
            groups.flatMap((group, g) => group.map(() => g)),
          );
          assert.equal(new Set(round).size, groups.flat().length);
        }
      },
    ),
  );
});

test('no entry of a group always comes first', () => {
  const first = interleave([{ entries: ['a', 'b'] }], 100, seededRandom(1)).map((round) => round[0]);
  const count = first.filter((name) => name === 'a').length;
  assert.ok(count > 30 && count < 70, `a came first ${count} times of 100`);
});

test('a group of fewer rounds is spread over the run', () => {
  const order = interleave([{ entries: ['a'] }, { entries: ['b'], rounds: 3 }], 10, seededRandom(1));
  const due = order.flatMap((round, index) => (round.includes('b') ? [index] : []));
  assert.deepEqual(due, [3, 6, 9]);
});
