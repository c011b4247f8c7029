import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { basename, dirname, isAbsolute, join, normalize, resolve } from './paths.ts';

const path = fc
  .array(fc.constantFrom('/', '.', '..', 'a', 'b.c', 'grün', '...', ' '), { maxLength: 9 })
  .map((parts) => parts.join(''));

test('the same as node:path', () => {
  fc.assert(
    fc.property(path, path, path, (one, two, three) => {
      assert.equal(isAbsolute(one), posix.isAbsolute(one));
      assert.equal(normalize(one), posix.normalize(one));
      assert.equal(basename(one), posix.basename(one));
      // Slashes that are repeated before the last component are of no use to anybody.
      if (!/\/\//.test(one)) assert.equal(dirname(one), posix.dirname(one));
      assert.equal(join(one, two), posix.join(one, two));
      assert.equal(resolve(one), posix.resolve(one));
      assert.equal(resolve(one, two, three), posix.resolve(one, two, three));
    }),
    { numRuns: 2000 },
  );
});
