/** Code is moved to where it can be mapped by large pages, and nothing else changes. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { alignCode, writeWhole } from './align-code.mjs';

const HUGE_PAGE = 0x200000;

/** An ELF file with a segment of constants, one of code and one of data, and a section header for each. */
function sample({ codeAt = 0x1d00, codeAddress = 0x40bd00, magic = 0x7f454c46 } = {}) {
  const segments = [
    { flags: 4, offset: 0, address: 0x400000 },
    { flags: 5, offset: codeAt, address: codeAddress },
    { flags: 6, offset: codeAt + 0x800, address: codeAddress + 0x1800 },
  ];
  const sections = codeAt + 0x1000;
  const file = Buffer.alloc(sections + 64 * segments.length);
  file.writeUInt32BE(magic, 0);
  file.writeUInt16BE(0x0201, 4);
  file.writeBigUInt64LE(64n, 32);
  file.writeBigUInt64LE(BigInt(sections), 40);
  for (const [at, value] of [
    [54, 56],
    [56, segments.length],
    [58, 64],
    [60, segments.length],
  ]) {
    file.writeUInt16LE(value, at);
  }
  segments.forEach(({ flags, offset, address }, index) => {
    const header = 64 + 56 * index;
    file.writeUInt32LE(1, header);
    file.writeUInt32LE(flags, header + 4);
    file.writeBigUInt64LE(BigInt(offset), header + 8);
    file.writeBigUInt64LE(BigInt(address), header + 16);
    file.writeBigUInt64LE(0x1000n, header + 48);
    file.writeBigUInt64LE(BigInt(offset), sections + 64 * index + 24);
    file.write(`content ${index}`, index === 0 ? 0x300 : offset);
  });
  return file;
}

/** @param {Buffer} file */
function read(file) {
  const sections = Number(file.readBigUInt64LE(40));
  return [0, 1, 2].map((index) => {
    const offset = Number(file.readBigUInt64LE(64 + 56 * index + 8));
    return {
      offset,
      address: Number(file.readBigUInt64LE(64 + 56 * index + 16)),
      section: Number(file.readBigUInt64LE(sections + 64 * index + 24)),
      text: file.toString('latin1', index === 0 ? 0x300 : offset, (index === 0 ? 0x300 : offset) + 9),
    };
  });
}

it('moves the code and what is behind it, addresses and contents kept', () => {
  const before = read(sample());
  const aligned = alignCode(sample());
  const after = read(aligned);
  assert.deepEqual(
    after.map(({ text, address }) => ({ text, address })),
    before.map(({ text, address }) => ({ text, address })),
  );
  const [constants, code, data] = after;
  assert.equal(constants.offset, 0);
  assert.equal(code.offset % HUGE_PAGE, code.address % HUGE_PAGE);
  assert.equal(data.offset - code.offset, 0x800);
  for (const { offset, section } of after) assert.equal(section, offset);
  assert.equal(alignCode(aligned), aligned, 'there is nothing left to do');
});

it('leaves alone what it does not understand', () => {
  const unaligned = { codeAddress: 0x40bd08 };
  for (const file of [
    sample({ magic: 0 }),
    sample(unaligned),
    Buffer.alloc(10),
    Buffer.from('#!/bin/sh\n'),
  ]) {
    assert.equal(alignCode(file), file);
  }
});

it('writes a file whole, with its mode', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'runts-align-test-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeWhole(join(folder, 'program'), Buffer.from('content'), 0o755);
  assert.equal(readFileSync(join(folder, 'program'), 'utf8'), 'content');
  assert.equal(statSync(join(folder, 'program')).mode & 0o111, 0o111 & ~process.umask());
});
