/**
 * Checks of arithmetic that the binary does itself, where an engine usually asks the C library (quickjs/math.c).
 *
 * @module
 */

import assert from 'node:assert/strict';
import type { Check } from './check.ts';

/** Not for an optimiser to work out. */
const given = (value: number): number => Number(String(value));

export const MATH_CHECKS: readonly Check[] = [
  [
    'remainders and powers',
    () => {
      const remainders = [
        [5.5, 2, 1.5],
        [-5.5, 2, -1.5],
        [5.5, -2, 1.5],
        [1234.0625, 1000, 234.0625],
        [0.25, 7, 0.25],
        [7.5, 2.5, 0],
        [4503599627370495.5, 10, 5.5],
        [1e300, 7, 1],
      ] as const;
      for (const [x, y, rest] of remainders) assert.equal(given(x) % given(y), rest, `${x} % ${y}`);
      assert.ok(Object.is(given(-4) % given(2), -0));
      assert.ok(Number.isNaN(given(4) % given(0)));
      for (let power = -1022, product = given(2.2250738585072014e-308); power <= 1023; power++, product *= 2)
        assert.equal(given(2) ** given(power), product, `2 ** ${power}`);
      assert.equal(given(2) ** given(-1074), 5e-324);
      assert.equal(given(2) ** given(1024), Number.POSITIVE_INFINITY);
      assert.equal(given(2) ** given(0.5), Math.SQRT2);
      assert.equal(given(10) ** given(3), 1000);
    },
  ],
];
