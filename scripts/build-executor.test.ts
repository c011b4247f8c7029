import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { buildExecutor, checkExecutor } from './build-executor.mjs';

const SCRIPT = fileURLToPath(new URL('build-executor.mjs', import.meta.url));
const machine = process.arch === 'arm64' ? 'arm64' : 'x64';
const { executor } = buildExecutor();

function runScript(env: Record<string, string>) {
  return spawnSync(process.execPath, [SCRIPT], { encoding: 'utf8', env: { PATH: process.env.PATH, ...env } });
}

test('builds an executor that runs', () => {
  assert.ok(statSync(executor).size <= 4096);
  assert.ok(statSync(executor).mode & 0o100);
  assert.deepEqual(checkExecutor(readFileSync(executor), machine), []);
});

test('builds only what is out of date', () => {
  const before = statSync(executor).mtimeMs;
  const lines: string[] = [];
  buildExecutor({ log: (line) => lines.push(line) });
  assert.deepEqual(lines, []);
  assert.equal(statSync(executor).mtimeMs, before);
});

test('no compiler, or a wrong $CC: one clear line', () => {
  const none = runScript({ PATH: '/nonexistent' });
  assert.equal(none.status, 1);
  assert.equal(
    none.stderr,
    'build-executor: no C compiler for ffi/executor.c: tried $CC, cc, gcc and clang; install one, e.g. apt-get install gcc\n',
  );
  const wrong = runScript({ CC: 'nonesuch-cc' });
  assert.equal(wrong.status, 1);
  assert.match(wrong.stderr, /^build-executor: cannot run the C compiler nonesuch-cc: .*E(NOENT|ACCES)\n$/);
  const failing = runScript({ CC: 'false' });
  assert.match(failing.stderr, /^build-executor: false could not compile ffi\/executor\.c/);
  assert.deepEqual(checkExecutor(readFileSync(executor), machine), []);
});

test('an executor that breaks the rules is named as such', () => {
  const good = readFileSync(executor);
  const broken = (change: (elf: Buffer) => Buffer | undefined) => {
    const copy = Buffer.from(good);
    return checkExecutor(change(copy) ?? copy, machine).join('; ');
  };
  const set32 = (at: number, value: number) => (elf: Buffer) => void elf.writeUInt32LE(value, at);
  const header = (index: number, at: number) => 64 + 56 * index + at;
  assert.match(broken(set32(header(0, 4), 7)), /program header 0 is writable and executable/);
  assert.match(broken(set32(header(2, 4), 7)), /program header 2 is writable and executable/);
  assert.match(broken(set32(header(3, 4), 7)), /program header 3 is writable and executable/);
  assert.match(broken(set32(header(1, 8), 0x2000)), /program header 1: offset is 0x2000, not 0x1000/);
  assert.match(broken(set32(header(1, 16), 0)), /program header 1: address is 0x0, not 0x10001000/);
  assert.match(broken(set32(header(2, 32), 8)), /program header 2: fileSize is 0x8, not 0x0/);
  assert.match(broken(set32(header(0, 48), 0x1000)), /program header 0: alignment is 0x1000/);
  assert.match(broken(set32(header(3, 0), 1)), /program header 3: type/);
  assert.match(broken(set32(24, 0x400000)), /entry point 0x400000/);
  assert.match(broken(set32(16, 0x3e0003)), /ET_EXEC/);
  assert.match(
    broken((elf) => void elf.writeUInt16LE(5, 56)),
    /not four program headers/,
  );
  assert.match(
    broken((elf) => Buffer.concat([elf, Buffer.alloc(4096)])),
    /bytes, more than 4096/,
  );
  assert.match(
    broken((elf) => elf.subarray(0, 100)),
    /not four program headers/,
  );
  assert.equal(
    broken(() => Buffer.from('#!/bin/sh')),
    'not an ELF file',
  );
  assert.match(checkExecutor(good, machine === 'x64' ? 'arm64' : 'x64').join('; '), /for machine/);
});
