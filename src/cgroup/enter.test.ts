import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { RuntsError } from '../errors.ts';
import { enterBelow } from './enter.ts';
import { enterCgroup } from './processes.ts';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'enter-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

test('the number is written, and the cgroups below are made', (t) => {
  const root = folder(t);
  enterCgroup(12, root);
  assert.equal(readFileSync(join(root, 'cgroup.procs'), 'utf8'), '12');
  assert.equal(enterBelow(root, 'a/b', 34), `${root}/a/b`);
  assert.equal(readFileSync(join(root, 'a/b/cgroup.procs'), 'utf8'), '34');
});

test('what fails is told in one text, with the field where there is one', (t) => {
  const root = folder(t);
  const failing = (directory: string, field?: string): RuntsError => {
    try {
      enterCgroup(12, directory, field);
    } catch (error) {
      assert.ok(error instanceof RuntsError);
      return error;
    }
    assert.fail('nothing is thrown');
  };
  const gone = failing(`${root}/gone`, 'linux.cgroupsPath');
  assert.equal(
    gone.message,
    `linux.cgroupsPath: cannot move process 12 into ${root}/gone/cgroup.procs: write: no such file or directory ` +
      '(the cgroup was removed by somebody else)',
  );
  const { field, syscall, errno } = gone.details;
  assert.deepEqual([gone.code, field, syscall, errno], ['E_CGROUP', 'linux.cgroupsPath', 'write', 'ENOENT']);
  writeFileSync(`${root}/file`, '');
  assert.match(
    failing(`${root}/file`).message,
    /^cannot move process 12 into .*: write: not a directory \(a component/,
  );
});
