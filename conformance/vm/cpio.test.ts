import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findBusybox } from '../../scripts/prerequisites.mjs';
import { cpioArchive } from './cpio.ts';

const busybox = findBusybox();

test('every record begins at a multiple of four, and the last one is the trailer', () => {
  const archive = cpioArchive([{ path: 'a' }, { path: 'a/file', data: Buffer.from('12345') }]);
  assert.equal(archive.length % 4, 0);
  let at = 0;
  const names: string[] = [];
  while (at < archive.length) {
    assert.equal(archive.toString('latin1', at, at + 6), '070701');
    const field = (index: number): number =>
      Number.parseInt(archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    const [size, nameSize] = [field(6), field(11)];
    names.push(archive.toString('latin1', at + 110, at + 110 + nameSize - 1));
    at = (at + 110 + nameSize + 3) & ~3;
    at = (at + size + 3) & ~3;
  }
  assert.deepEqual(names, ['a', 'a/file', 'TRAILER!!!']);
});

test('another cpio unpacks it', { skip: busybox === undefined && 'needs busybox' }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'cpio-'));
  try {
    const input = cpioArchive([{ path: 'd' }, { path: 'd/program', data: Buffer.from('text'), mode: 0o755 }]);
    const { status, stderr } = spawnSync(busybox!, ['cpio', '-i'], { cwd: folder, input });
    assert.equal(status, 0, stderr.toString());
    assert.equal(readFileSync(join(folder, 'd/program'), 'utf8'), 'text');
    assert.equal(statSync(join(folder, 'd/program')).mode & 0o777, 0o755);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
