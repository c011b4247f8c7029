import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RuntsError } from '../errors.ts';
import { parseSize, resourcesOfFlags } from './update-flags.ts';

for (const [text, bytes] of [
  ['0', 0],
  ['67108864', 67108864],
  ['64m', 67108864],
  ['64MB', 67108864],
  ['64MiB', 67108864],
  ['1.5g', 1610612736],
  ['-1', -1],
  ['512k', 524288],
] as const) {
  test(`a size of ${text}`, () => assert.equal(parseSize('memory', text), bytes));
}

for (const text of ['', 'm', '-2', '1x', '1e3', '0x10', ' 1', '99999999999p']) {
  test(`${JSON.stringify(text)} is no size`, () => {
    assert.throws(() => parseSize('memory', text), RuntsError);
  });
}

test('flags become the resources that they name, and nothing else', () => {
  assert.deepEqual(
    resourcesOfFlags({ memory: '64m', 'pids-limit': '-1', 'cpuset-cpus': '0-1', 'cpu-share': '512' }),
    {
      cpu: { shares: 512, cpus: '0-1' },
      memory: { limit: 67108864 },
      pids: { limit: -1 },
    },
  );
  assert.deepEqual(resourcesOfFlags({}), {});
  assert.throws(() => resourcesOfFlags({ 'cpu-quota': '1x' }), /--cpu-quota: "1x" is no number/);
});
