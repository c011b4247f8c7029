import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeBase64 } from './base64.ts';

test('what Node encodes is decoded, with padding and without, across lines', () => {
  for (let length = 0; length < 70; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + length * 11) & 0xff);
    const text = Buffer.from(bytes).toString('base64');
    assert.deepEqual(decodeBase64(text), bytes);
    assert.deepEqual(decodeBase64(text.replace(/=+$/, '')), bytes);
    assert.deepEqual(decodeBase64(text.replace(/(.{5})/g, '$1\n')), bytes);
  }
});

test('what is no base64', () => {
  for (const text of ['A', 'AAAAA', '*', 'AA-_', '====', 'A=AA', 'é'])
    assert.equal(decodeBase64(text), undefined, text);
});
