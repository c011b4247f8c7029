import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { temporaryDirectory } from '../container/fixture.ts';
import { RuntsError } from '../errors.ts';
import { checkUnused, createCgroup, undoCreate } from './create.ts';

function fakeCgroup(directory: string, events: string, procs = ''): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(`${directory}/cgroup.events`, events);
  writeFileSync(`${directory}/cgroup.procs`, procs);
}

test('every missing level is made, and undoing removes just these', (t) => {
  const root = temporaryDirectory(t);
  mkdirSync(`${root}/pod`);
  const cgroup = createCgroup(root, '/pod/a/b');
  assert.deepEqual(cgroup, { directory: `${root}/pod/a/b`, made: [`${root}/pod/a`, `${root}/pod/a/b`] });
  undoCreate(cgroup);
  assert.deepEqual(readdirSync(`${root}/pod`), []);
});

test('undoing keeps a level that somebody else uses by now', (t) => {
  const root = temporaryDirectory(t);
  const cgroup = createCgroup(root, '/pod/a');
  mkdirSync(`${root}/pod/b`);
  undoCreate(cgroup);
  assert.deepEqual(readdirSync(`${root}/pod`), ['b']);
});

test('an existing empty cgroup is taken and not removed when undone', (t) => {
  const root = temporaryDirectory(t);
  fakeCgroup(`${root}/pod/a`, 'populated 0\nfrozen 0\n');
  const cgroup = createCgroup(root, '/pod/a');
  assert.deepEqual(cgroup.made, []);
  undoCreate(cgroup);
  assert.ok(existsSync(`${root}/pod/a`));
});

test('a cgroup with processes in it or below it is refused', (t) => {
  const root = temporaryDirectory(t);
  fakeCgroup(`${root}/a`, 'populated 1\nfrozen 0\n', '11\n12\n');
  fakeCgroup(`${root}/a/b`, 'populated 1\nfrozen 0\n', '12\n13\n0\n');
  assert.throws(
    () => createCgroup(root, '/a'),
    /^RuntsError: container's cgroup is not empty: 3 process\(es\) found/,
  );
});

test('what is not there yet is unused', (t) => {
  const root = temporaryDirectory(t);
  checkUnused(`${root}/a/b`);
  fakeCgroup(`${root}/a`, 'populated 1\nfrozen 0\n', '11\n');
  assert.throws(() => checkUnused(`${root}/a`), /not empty: 1 process/);
});

test('a frozen cgroup is refused', (t) => {
  const root = temporaryDirectory(t);
  fakeCgroup(`${root}/a`, 'populated 0\nfrozen 1\n');
  assert.throws(() => createCgroup(root, '/a'), /container's cgroup unexpectedly frozen/);
});

test('a failure on the way names the level and leaves nothing', (t) => {
  const root = temporaryDirectory(t);
  const long = 'x'.repeat(300);
  assert.throws(
    () => createCgroup(root, `/a/b/${long}`),
    (error: unknown) => {
      assert.ok(error instanceof RuntsError);
      assert.equal(error.code, 'E_CGROUP');
      assert.equal(error.details.errno, 'ENAMETOOLONG');
      assert.ok(error.message.startsWith(`linux.cgroupsPath: cannot make cgroup ${root}/a/b/xxx`));
      return true;
    },
  );
  assert.deepEqual(readdirSync(root), []);
});

test('a hierarchy that is gone', (t) => {
  const root = temporaryDirectory(t);
  assert.throws(() => createCgroup(`${root}/no`, '/a'), /mkdir: no such file or directory/);
});
