import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { checkExecutor } from '../scripts/build-executor.mjs';
import * as abi from './abi.ts';
import { emulated, native } from './testing/harness.ts';

/** Every number of abi.ts under the name that abi.h has for it. */
function numbersOfAbiTs(): Map<string, number> {
  const numbers = new Map<string, number>();
  for (const [group, content] of Object.entries(abi)) {
    if (typeof content === 'number') numbers.set(`RTAP_${group}`, content);
    else for (const [name, value] of Object.entries(content)) numbers.set(`RTAP_${group}_${name}`, value);
  }
  return numbers;
}

function numbersOfAbiH(): Map<string, number> {
  const text = readFileSync(new URL('abi.h', import.meta.url), 'utf8');
  const defines = text.matchAll(/^#define (RTAP_\w+) (\w+)$/gm);
  return new Map([...defines].map(([, name, value]) => [name!, Number(value)]));
}

test('abi.h and abi.ts define the same numbers', () => {
  const [c, ts] = [numbersOfAbiH(), numbersOfAbiTs()];
  assert.ok(c.size > 80, `${c.size} definitions found`);
  assert.deepEqual(Object.fromEntries(c), Object.fromEntries(ts));
});

test('the fields of header, operation and message follow each other without a gap', () => {
  const sizes = (offsets: Readonly<Record<string, number>>, ...ignored: string[]) => {
    const ends = Object.entries(offsets)
      .filter(([name]) => name !== 'SIZE' && !ignored.includes(name))
      .map(([, offset]) => offset)
      .sort((a, b) => a - b);
    return [...ends.slice(1), offsets.SIZE!].map((end, i) => end - ends[i]!);
  };
  assert.deepEqual(sizes(abi.HEADER), [4, 2, 2, 4, 4, 4, 4, 4, 4]);
  assert.deepEqual(sizes(abi.OP), [2, 2, 2, 2, 24, 4, 4, 8]);
  assert.deepEqual(sizes(abi.MESSAGE, 'TEXT_LIMIT'), [4, 4, 8, 8, 4, 4]);
});

// The C side of the offsets are static assertions in abi.h: the executors that the harness builds passed them.
for (const runner of [native, emulated()]) {
  if (typeof runner === 'string') {
    test('the other machine', { skip: runner }, () => {});
    continue;
  }
  test(`the ${runner.machine} executor is laid out as the ABI says`, () => {
    const { elf, machine } = runner;
    assert.deepEqual(checkExecutor(elf, machine), []);
    const view = new DataView(elf.buffer, elf.byteOffset);
    const header = (index: number, at: number) => Number(view.getBigUint64(64 + 56 * index + at, true));
    const { IMAGE } = abi;
    assert.equal(header(0, 16), IMAGE.TEXT_BASE);
    assert.equal(header(1, 8), IMAGE.TAPE_OFFSET);
    assert.equal(header(1, 16), IMAGE.TAPE_BASE);
    assert.equal(header(2, 16), IMAGE.CELLS_BASE);
    for (const index of [0, 1, 2]) assert.equal(header(index, 48), IMAGE.ALIGNMENT);
    assert.equal(64 + 56 + 32, IMAGE.TAPE_FILESZ);
    assert.equal(64 + 56 + 40, IMAGE.TAPE_MEMSZ);
    assert.equal(64 + 112 + 40, IMAGE.CELLS_MEMSZ);
    assert.ok(elf.length <= IMAGE.TAPE_OFFSET);
  });
}
