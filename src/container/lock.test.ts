import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { lockContainer, withLock } from './lock.ts';

let root: string;
let directory: string;
const children: ChildProcess[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'runts-lock-'));
  directory = join(root, 'box');
  mkdirSync(directory);
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(root, { recursive: true });
});

/** Another process that waits for the lock, says `locked` or the code of the error, and holds it. */
async function contender(): Promise<{ child: ChildProcess; said: () => string; heard: Promise<unknown> }> {
  const url = new URL('./lock.ts', import.meta.url).href;
  const code = `
    import { lockContainer } from ${JSON.stringify(url)};
    process.stdout.write('ready\\n');
    try {
      lockContainer(${JSON.stringify(directory)});
      process.stdout.write('locked\\n');
      setInterval(() => undefined, 1000);
    } catch (error) {
      process.stdout.write(error.code + '\\n');
    }`;
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const args = ['--import', 'tsx', '--input-type=module', '-e', code];
  const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  let text = '';
  child.stdout.on('data', (data) => {
    text += String(data);
  });
  await once(child.stdout, 'data');
  const heard = text.includes('\n', 6) ? Promise.resolve() : once(child.stdout, 'data');
  return { child, said: () => text.replace('ready\n', '').trim(), heard };
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50));

test('a lock is given and taken back, any number of times', () => {
  for (let round = 0; round < 3; round++) {
    const lock = lockContainer(directory);
    lock.release();
    lock.release();
  }
  assert.equal(
    withLock(directory, () => 'result'),
    'result',
  );
  assert.throws(() =>
    withLock(directory, () => {
      throw new Error('in the body');
    }),
  );
  lockContainer(directory).release();
});

test('different containers do not wait for each other', () => {
  const other = join(root, 'other');
  mkdirSync(other);
  const locks = [lockContainer(directory), lockContainer(other)];
  for (const lock of locks) lock.release();
});

test('no container, no lock', () => {
  const message = 'container does not exist: nothing';
  assert.throws(() => lockContainer(join(root, 'nothing')), { code: 'E_NOT_FOUND', message });
  writeFileSync(join(root, 'file'), '');
  assert.throws(() => lockContainer(join(root, 'file')), { code: 'E_NOT_FOUND' });
  symlinkSync(directory, join(root, 'link'));
  assert.throws(() => lockContainer(join(root, 'link')), { code: 'E_NOT_FOUND' });
  assert.throws(() => lockContainer(join(root, 'x'.repeat(300))), {
    code: 'E_ROOT',
    message: /ENAMETOOLONG/,
  });
});

test('a second process waits for the first', async () => {
  const lock = lockContainer(directory);
  const { said, heard } = await contender();
  await pause();
  assert.equal(said(), '');
  lock.release();
  await heard;
  assert.equal(said(), 'locked');
});

test('the death of its holder releases the lock', async () => {
  const first = lockContainer(directory);
  const { child, heard } = await contender();
  first.release();
  await heard;
  // This process waits without its event loop, so another one has to do it.
  children.push(spawn('/bin/sh', ['-c', `sleep 0.05; kill -9 ${child.pid}`]));
  const before = performance.now();
  lockContainer(directory).release();
  assert.ok(performance.now() - before < 5000);
});

test('a container that is deleted while another command waits does not exist for that one', async () => {
  for (const recreated of [false, true]) {
    if (!existsSync(directory)) mkdirSync(directory);
    const lock = lockContainer(directory);
    const { said, heard } = await contender();
    await pause();
    rmdirSync(directory);
    if (recreated) mkdirSync(directory);
    lock.release();
    await heard;
    assert.equal(said(), 'E_NOT_FOUND');
  }
});
