import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readRegularFile } from './regular-file.ts';

test('only regular files are read, and not without end', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'runts-regular-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'file');
  writeFileSync(path, 'ünï\n'.repeat(30_000));
  assert.equal(readRegularFile(path), 'ünï\n'.repeat(30_000));
  writeFileSync(path, '');
  assert.equal(readRegularFile(path), '');
  writeFileSync(path, Buffer.alloc(5 << 20, 'x'));
  assert.equal(readRegularFile(path)?.length, 4 << 20);
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  symlinkSync('/dev/zero', join(folder, 'zero'));
  for (const name of ['fifo', 'zero', '.'])
    assert.equal(readRegularFile(join(folder, name)), undefined, name);
  assert.throws(() => readRegularFile(join(folder, 'none')), /ENOENT/);
});
