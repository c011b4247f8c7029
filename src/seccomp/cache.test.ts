import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { RuntsError } from '../errors.ts';
import type { CompiledFilter } from '../plan/seccomp.ts';
import { noteExactIntegers } from '../spec/integers.ts';
import type { LinuxSeccomp, Spec } from '../spec/types.ts';
import { cacheDirectory, fileIdentity, lookUp, profileText, store } from './cache.ts';
import { readFilter, writeFilter } from './file.ts';
import { prepareFilter, savedFilter } from './filter.ts';

const FILTER: CompiledFilter = {
  program: new Uint8Array(Array.from({ length: 80 }, (_, i) => i)),
  flags: 4,
  notify: true,
};

const PROFILE: LinuxSeccomp = {
  defaultAction: 'SCMP_ACT_ERRNO',
  syscalls: [{ names: ['execve', 'read', 'exit_group'], action: 'SCMP_ACT_ALLOW' }],
};

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'runts-seccomp-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A cache with one entry, and the file that stands for libseccomp. */
function cacheWith(t: TestContext, text: string): { directory: string; path: string; library: string } {
  const root = folder(t);
  const directory = cacheDirectory(root);
  const library = join(root, 'lib with spaces.so');
  writeFileSync(library, 'library');
  const { path } = lookUp(directory, text);
  store(path, text, fileIdentity(library), FILTER);
  return { directory, path, library };
}

function same(found: CompiledFilter | undefined): void {
  assert.ok(found !== undefined);
  assert.deepEqual(
    { program: [...found.program], flags: found.flags, notify: found.notify },
    { ...FILTER, program: [...FILTER.program] },
  );
}

test('a filter is found again by the profile’s text, and is for the owner only', (t) => {
  const { directory, path } = cacheWith(t, 'x64 {"a":1}');
  same(lookUp(directory, 'x64 {"a":1}').filter);
  assert.equal(lookUp(directory, 'x64 {"a":2}').filter, undefined);
  assert.equal(statSync(path).mode & 0o7777, 0o600);
  assert.equal(statSync(directory).mode & 0o7777, 0o700);
  assert.deepEqual(readdirSync(directory).length, 1, 'no temporary file stays');
});

test('profiles with the same hash have a place each, up to four', (t) => {
  // The hash looks at some characters only: these differ in none of those.
  const text = (n: number): string => `${'x'.repeat(500)}${String(n).padStart(3, '0')}${'x'.repeat(500)}`;
  const { directory, library } = cacheWith(t, text(0));
  for (let n = 1; n < 6; n++) store(lookUp(directory, text(n)).path, text(n), fileIdentity(library), FILTER);
  const names = readdirSync(directory).sort();
  const hash = names[0]!.slice(0, 8);
  assert.deepEqual(
    names,
    [0, 1, 2, 3].map((n) => `${hash}-${n}`),
  );
  const found = [0, 1, 2, 3, 4, 5].map((n) => lookUp(directory, text(n)).filter !== undefined);
  assert.deepEqual(found, [false, true, true, true, false, true]);
});

test('another libseccomp, or none, makes an entry stale', (t) => {
  const { directory, path, library } = cacheWith(t, 'text');
  writeFileSync(library, 'a later library');
  assert.deepEqual(lookUp(directory, 'text'), { path });
  rmSync(library);
  assert.deepEqual(lookUp(directory, 'text'), { path });
});

test('every damage of an entry is seen, and the entry is replaced', (t) => {
  const { directory, path, library } = cacheWith(t, 'text');
  const whole = readFileSync(path);
  const damaged = (change: (bytes: Buffer) => Buffer): void => {
    writeFileSync(path, change(Buffer.from(whole)), { mode: 0o600 });
    assert.deepEqual(lookUp(directory, 'text'), { path });
  };
  for (const length of [0, 1, 31, 32, 100, whole.length - 1]) damaged((bytes) => bytes.subarray(0, length));
  damaged((bytes) => Buffer.concat([bytes, Buffer.from('x')]));
  // magic, format, length of the program, length of the text, both copies of the program
  for (const at of [0, 4, 16, 20, 32, 111, 112, 191]) {
    damaged((bytes) => {
      bytes[at] = bytes[at]! ^ 0x10;
      return bytes;
    });
  }
  store(lookUp(directory, 'text').path, 'text', fileIdentity(library), FILTER);
  same(lookUp(directory, 'text').filter);
});

test('what others can write to, or a link leads to, is no entry', (t) => {
  const { directory, path } = cacheWith(t, 'text');
  for (const mode of [0o620, 0o602, 0o644]) {
    chmodSync(path, mode);
    assert.equal(lookUp(directory, 'text').filter, undefined, mode.toString(8));
  }
  chmodSync(path, 0o600);
  same(lookUp(directory, 'text').filter);
  renameSync(path, `${path}.real`);
  symlinkSync(`${path}.real`, path);
  assert.deepEqual(lookUp(directory, 'text'), { path });
  rmSync(path);
  mkdirSync(path);
  assert.deepEqual(lookUp(directory, 'text'), { path });
});

test('somebody else’s file is no entry', { skip: process.geteuid?.() !== 0 && 'needs root' }, async (t) => {
  const { chownSync } = await import('node:fs');
  const { directory, path } = cacheWith(t, 'text');
  chownSync(path, 12345, 0);
  assert.deepEqual(lookUp(directory, 'text'), { path });
});

test('a full cache loses its oldest entries', (t) => {
  const { directory, path, library } = cacheWith(t, 'oldest');
  utimesSync(path, 1, 1);
  for (let n = 0; n < 70; n++) store(`${directory}/${n}`, `${n}`, fileIdentity(library), FILTER);
  assert.equal(existsSync(path), false);
  const names = readdirSync(directory);
  assert.ok(names.length <= 64 && names.length >= 32, `${names.length}`);
  assert.ok(names.includes('69'));
});

test('profiles that differ only in digits that JSON numbers lose are different', () => {
  const texts = ['18446744073709551615', '18446744073709551614'].map((value) => {
    const json = `{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["kill"],
      "action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":${value},"op":"SCMP_CMP_EQ"}]}]}}}`;
    const spec = JSON.parse(json) as Spec;
    noteExactIntegers(spec, json);
    return profileText(spec.linux!.seccomp!);
  });
  assert.notEqual(texts[0], texts[1]);
});

test('a writer that fails leaves the old file and nothing else', (t) => {
  const path = join(folder(t), 'sub', 'file');
  assert.throws(() => writeFilter(path, FILTER), /ENOENT/);
  mkdirSync(join(path, '..'));
  writeFilter(path, FILTER, 'one');
  writeFileSync(`${path}.${process.pid}.new`, 'in the way');
  assert.throws(() => writeFilter(path, FILTER, 'two'), /EEXIST/);
  assert.equal(readFilter(path)?.text, 'one');
});

test('a prepared filter is kept for exec and cached, and taken from there the next time', async (t) => {
  const root = folder(t);
  const states = ['one', 'two'].map((name) => join(root, name));
  for (const state of states) mkdirSync(state);
  const compiled = await prepareFilter(PROFILE, root);
  assert.ok(compiled !== undefined);
  assert.deepEqual(readdirSync(root).sort(), ['one', 'two'], 'nothing is changed before it is asked for');
  compiled.save(states[0]!);
  assert.deepEqual(readdirSync(states[0]!), ['seccomp.bpf']);
  assert.equal(readdirSync(cacheDirectory(root)).length, 1);

  const cached = await prepareFilter(PROFILE, root);
  assert.deepEqual([...cached!.filter.program], [...compiled.filter.program]);
  const [entry] = readdirSync(cacheDirectory(root));
  const before = statSync(join(cacheDirectory(root), entry!)).mtimeMs;
  cached?.save(states[1]!);
  assert.equal(statSync(join(cacheDirectory(root), entry!)).mtimeMs, before, 'it is not written again');
  const inodes = [...states.slice(1), cacheDirectory(root)].map(
    (name, i) => statSync(join(name, i === 0 ? 'seccomp.bpf' : entry!)).ino,
  );
  assert.equal(inodes[0], inodes[1], 'the container’s is the entry under another name');
  for (const state of states) {
    assert.deepEqual([...savedFilter(state, 'x').program], [...compiled.filter.program]);
    assert.equal(statSync(join(state, 'seccomp.bpf')).mode & 0o7777, 0o600);
  }
});

test('an entry that was exchanged meanwhile is not what a container keeps', async (t) => {
  const root = folder(t);
  for (const name of ['one', 'two']) mkdirSync(join(root, name));
  (await prepareFilter(PROFILE, root))!.save(join(root, 'one'));
  const prepared = await prepareFilter(PROFILE, root);
  const [name] = readdirSync(cacheDirectory(root));
  writeFilter(join(cacheDirectory(root), name!), FILTER, 'another profile');
  prepared?.save(join(root, 'two'));
  assert.deepEqual([...savedFilter(join(root, 'two'), 'x').program], [...prepared!.filter.program]);
});

test('a cache that can’t be written to costs time only', async (t) => {
  const root = folder(t);
  writeFileSync(join(root, '.cache'), 'a file in the way');
  mkdirSync(join(root, 'c'));
  const prepared = await prepareFilter(PROFILE, root);
  prepared?.save(join(root, 'c'));
  assert.ok(savedFilter(join(root, 'c'), 'c'));
});

test('an object without default action and rules means no filter', async (t) => {
  assert.equal(await prepareFilter({}, folder(t)), undefined);
  assert.equal(await prepareFilter({ syscalls: [], architectures: ['SCMP_ARCH_X86'] }, folder(t)), undefined);
});

test('a container whose filter is lost gets no further process', (t) => {
  const state = folder(t);
  const fails = (reason: RegExp): void => {
    assert.throws(
      () => savedFilter(state, 'web'),
      (error: unknown) =>
        error instanceof RuntsError && error.code === 'E_STATE_CORRUPT' && reason.test(error.message),
    );
  };
  fails(/seccomp filter of container web is unusable: .*seccomp\.bpf: no such file or directory/);
  writeFileSync(join(state, 'seccomp.bpf'), 'nonsense', { mode: 0o600 });
  fails(/damaged/);
});
