import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { RuntsError } from '../errors.ts';
import { type Caller, defaultRoot, ensureRoot, thisCaller } from './root.ts';

const folder = mkdtempSync(join(tmpdir(), 'runts-root-'));
after(() => rmSync(folder, { recursive: true }));

const caller = (euid: number, env: Caller['env'], inside = false): Caller => ({
  euid,
  env,
  inUserNamespace: () => inside,
});

test('the state folder by default', () => {
  const env = { XDG_RUNTIME_DIR: '/run/user/1000' };
  assert.equal(defaultRoot(caller(0, {})), '/run/runts');
  assert.equal(defaultRoot(caller(0, env)), '/run/runts');
  assert.equal(defaultRoot(caller(1000, env)), '/run/user/1000/runts');
  assert.equal(defaultRoot(caller(1000, {})), '/run/user/1000/runts');
  assert.equal(defaultRoot(caller(1001, { XDG_RUNTIME_DIR: 'relative' })), '/run/user/1001/runts');
  assert.equal(defaultRoot(caller(1001, { XDG_RUNTIME_DIR: '' })), '/run/user/1001/runts');
  // Root of a user namespace.
  assert.equal(defaultRoot(caller(0, env, true)), '/run/user/1000/runts');
  assert.equal(defaultRoot(caller(0, { ...env, USER: 'ada' }, true)), '/run/user/1000/runts');
  assert.equal(defaultRoot(caller(0, { ...env, USER: 'root' }, true)), '/run/runts');
  assert.equal(defaultRoot(caller(0, {}, true)), '/run/runts');
});

test('this process is somebody', () => {
  assert.equal(typeof thisCaller().inUserNamespace(), 'boolean');
  assert.equal(thisCaller().euid, process.geteuid?.());
});

const mode = (path: string) => statSync(path).mode & 0o7777;

test('the folder is made with its parents, for its owner only', () => {
  const root = join(folder, 'a/b');
  ensureRoot({ root, rootExplicit: true });
  assert.equal(mode(root), 0o700);
  assert.equal(mode(join(folder, 'a')), 0o700);
  ensureRoot({ root, rootExplicit: true });
});

test("a user's default folder is sticky", () => {
  const root = join(folder, 'user/runts');
  ensureRoot({ root, rootExplicit: false });
  assert.equal(mode(root), 0o1700);
  chmodSync(root, 0o700);
  ensureRoot({ root, rootExplicit: false });
  assert.equal(mode(root), 0o1700);
});

function failure(root: string, rootExplicit = true): RuntsError {
  try {
    ensureRoot({ root, rootExplicit });
  } catch (error) {
    assert.ok(error instanceof RuntsError);
    return error;
  }
  return assert.fail('ensureRoot did not fail');
}

test('what cannot be made is one clear error', () => {
  const file = join(folder, 'file');
  writeFileSync(file, '');
  symlinkSync('nowhere', join(folder, 'dangling'));
  symlinkSync('loop', join(folder, 'loop'));
  const on = (path: string) => failure(path).message;
  assert.equal(failure(file).code, 'E_ROOT');
  assert.match(
    on(file),
    /^cannot create the state directory .*\/file: mkdir: not a directory \(give a --root/,
  );
  assert.match(on(join(file, 'x')), /mkdir: not a directory/);
  assert.match(on(join(folder, 'loop/x')), /too many levels of symbolic links/);
  assert.match(on(join(folder, 'x'.repeat(300))), /mkdir: file name too long/);
  assert.equal(failure(join(file, 'x')).details.errno, 'ENOTDIR');
  assert.match(failure(join(file, 'runts'), false).message, /set XDG_RUNTIME_DIR to a directory/);
  assert.throws(() => ensureRoot({ root: join(folder, 'dangling'), rootExplicit: true }));
  mkdirSync(join(folder, 'real'));
  symlinkSync('real', join(folder, 'link'));
  ensureRoot({ root: join(folder, 'link'), rootExplicit: true });
});
