import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Tail } from './tail.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

test('a short stream is kept whole, without white space at its end', () => {
  const tail = new Tail(8);
  assert.equal(tail.toString(), '');
  tail.push(encode(' ab\n'));
  tail.push(encode('cd\n\n'));
  assert.equal(tail.toString(), ' ab\ncd');
});

test('of a long stream the last bytes are kept, however it is cut', () => {
  const text = Array.from({ length: 1000 }, (_, i) => String(i)).join(' ');
  for (const size of [1, 7, 16, 5000]) {
    const tail = new Tail(10);
    for (let i = 0; i < text.length; i += size) tail.push(encode(text.slice(i, i + size)));
    assert.equal(tail.toString(), `[${text.length - 10} bytes left out] ${text.slice(-10)}`);
  }
});

test('the chunk may be reused after it was pushed', () => {
  const tail = new Tail(8);
  const chunk = encode('one');
  tail.push(chunk);
  chunk.fill(0);
  assert.equal(tail.toString(), 'one');
});
