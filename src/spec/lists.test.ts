import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listMask, parseList } from './lists.ts';

test('lists of numbers and ranges', () => {
  assert.deepEqual(parseList('0-3,7'), [
    [0, 3],
    [7, 7],
  ]);
  assert.deepEqual(parseList(' 1 , ,2-2,'), [
    [1, 1],
    [2, 2],
  ]);
});

test('what is no list', () => {
  for (const [text, reason] of [
    ['', 'it names nothing'],
    [' , ', 'it names nothing'],
    ['3-1', 'the range 3-1 runs backwards'],
    ['-1', '"-1" is neither a number nor a range such as 0-3'],
    ['1-2-3', '"1-2-3" is neither a number nor a range such as 0-3'],
    ['1 2', '"1 2" is neither a number nor a range such as 0-3'],
    ['0-65536', '65536 is above 65535'],
  ] as const) {
    assert.equal(parseList(text), reason, text);
  }
});

test('masks are of the size that the list needs', () => {
  assert.deepEqual([...listMask('0-3,7')], [0b10001111, 0, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual([...listMask('63')], [0, 0, 0, 0, 0, 0, 0, 128]);
  assert.deepEqual([...listMask('64')], [...new Uint8Array(8), 1, 0, 0, 0, 0, 0, 0, 0]);
  assert.equal(listMask('1030').length, 136);
});

test('a mask has the bits of its list and no others', () => {
  for (let round = 0; round < 200; round++) {
    const numbers = new Set(Array.from({ length: 1 + (round % 7) }, () => Math.floor(Math.random() * 300)));
    const mask = listMask([...numbers].join());
    for (let bit = 0; bit < mask.length * 8; bit++) {
      assert.equal((mask[bit >> 3]! >> (bit & 7)) & 1, numbers.has(bit) ? 1 : 0, `${[...numbers]}: ${bit}`);
    }
  }
});
