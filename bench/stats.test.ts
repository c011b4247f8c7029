import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom, shuffled } from './random.ts';
import { median, medianRatio, quantile, summarize } from './stats.ts';

const numbers = fc.array(fc.integer({ min: -1_000_000, max: 1_000_000 }), { minLength: 1, maxLength: 60 });

test('median of odd, even, single and empty lists', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([7]), 7);
  assert.ok(Number.isNaN(median([])));
});

test('quantiles interpolate between the nearest samples', () => {
  const values = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110];
  assert.equal(quantile(values, 0), 10);
  assert.equal(quantile(values, 0.1), 20);
  assert.equal(quantile(values, 0.9), 100);
  assert.equal(quantile(values, 1), 110);
  assert.equal(quantile([0, 10], 0.25), 2.5);
});

test('samples are sorted as numbers and the caller keeps its order', () => {
  const values = [10, 9, 100];
  assert.equal(median(values), 10);
  assert.deepEqual(values, [10, 9, 100]);
});

test('a summary is ordered and inside the samples', () => {
  fc.assert(
    fc.property(numbers, (values) => {
      const s = summarize(values);
      assert.equal(s.n, values.length);
      assert.ok(s.min <= s.p10 && s.p10 <= s.median && s.median <= s.p90 && s.p90 <= s.max);
      assert.equal(s.min, Math.min(...values));
      assert.equal(s.max, Math.max(...values));
      assert.ok(s.mean >= s.min - 1e-6 && s.mean <= s.max + 1e-6);
    }),
  );
});

test('one outlier moves the mean, not the median', () => {
  const s = summarize([5, 5, 5, 5, 5, 5, 5, 5, 5, 1000]);
  assert.equal(s.median, 5);
  assert.ok(s.mean > 100);
});

test('the ratio of medians lies in its interval, and the interval is narrow for steady samples', () => {
  const a = Array.from({ length: 40 }, (_, i) => 20 + (i % 5) * 0.1);
  const b = Array.from({ length: 40 }, (_, i) => 10 + (i % 5) * 0.1);
  const ratio = medianRatio(a, b, seededRandom(1));
  assert.ok(ratio);
  assert.ok(ratio.low <= ratio.value && ratio.value <= ratio.high);
  assert.ok(ratio.high - ratio.low < 0.05);
  assert.ok(Math.abs(ratio.value - 20.2 / 10.2) < 1e-9);
});

test('there is no ratio without samples or against nothing', () => {
  assert.equal(medianRatio([], [1], seededRandom(1)), undefined);
  assert.equal(medianRatio([1], [], seededRandom(1)), undefined);
  assert.equal(medianRatio([1], [0], seededRandom(1)), undefined);
});

test('the same seed gives the same order and the same interval', () => {
  const items = Array.from({ length: 20 }, (_, i) => i);
  assert.deepEqual(shuffled(items, seededRandom(7)), shuffled(items, seededRandom(7)));
  assert.notDeepEqual(shuffled(items, seededRandom(7)), shuffled(items, seededRandom(8)));
  const a = [1, 2, 3, 4, 5];
  const b = [2, 3, 4, 5, 6];
  assert.deepEqual(medianRatio(a, b, seededRandom(3)), medianRatio(a, b, seededRandom(3)));
});

test('a shuffle keeps the items and leaves its argument alone', () => {
  fc.assert(
    fc.property(numbers, fc.integer(), (values, seed) => {
      const before = [...values];
      const after = shuffled(values, seededRandom(seed));
      assert.deepEqual(values, before);
      assert.deepEqual(
        [...after].sort((x, y) => x - y),
        [...before].sort((x, y) => x - y),
      );
    }),
  );
});

test('random numbers fill [0, 1) evenly', () => {
  const random = seededRandom(42);
  const buckets = new Array<number>(10).fill(0);
  for (let i = 0; i < 10_000; i++) {
    const value = random();
    assert.ok(value >= 0 && value < 1);
    const bucket = Math.floor(value * 10);
    buckets[bucket] = (buckets[bucket] as number) + 1;
  }
  for (const count of buckets) assert.ok(count > 850 && count < 1150, `bucket with ${count}`);
});
