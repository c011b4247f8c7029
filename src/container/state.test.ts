import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { type ErrorCode, RuntsError } from '../errors.ts';
import { fakeState, putState, temporaryDirectory } from './fixture.ts';
import {
  makeStateDirectory,
  readState,
  removeStateDirectory,
  stateExists,
  statePath,
  timestamp,
  writeState,
} from './state.ts';

function fails(call: () => unknown, code: ErrorCode, pattern: RegExp): void {
  assert.throws(call, (error: unknown) => {
    assert.ok(error instanceof RuntsError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, pattern);
    return true;
  });
}

test('what is written is what is read', (t) => {
  const root = temporaryDirectory(t);
  const state = putState(root, 'c1', {
    phase: 'created',
    init: { pid: 5, startTime: 6 },
    cgroup: { manager: 'cgroupfs', mountpoint: '/sys/fs/cgroup', path: '/a "b"/c1' },
    annotations: { 'org.x': 'ä\n', __proto__x: '1' },
    bundle: '/with space/and\nnewline',
  });
  assert.deepEqual(readState(root, 'c1'), state);
  assert.deepEqual(readdirSync(`${root}/c1`), ['state.json'], 'no temporary file stays');
  assert.equal(statSync(statePath(root, 'c1')).mode & 0o777, 0o600);
  writeState({ ...state, phase: 'running' });
  assert.equal(readState(root, 'c1').phase, 'running');
});

test('the folder may have moved since', (t) => {
  const root = temporaryDirectory(t);
  makeStateDirectory(root, 'c1');
  writeFileSync(statePath(root, 'c1'), JSON.stringify(fakeState('/elsewhere', 'c1')));
  assert.equal(readState(root, 'c1').rootPath, root);
});

test('an unknown container', (t) => {
  const root = temporaryDirectory(t);
  fails(() => readState(root, 'no'), 'E_NOT_FOUND', /does not exist/);
  fails(() => readState(`${root}/no`, 'no'), 'E_NOT_FOUND', /does not exist/);
  writeFileSync(`${root}/file`, '');
  fails(() => readState(root, 'file'), 'E_NOT_FOUND', /does not exist/);
});

test('an id is taken once', (t) => {
  const root = temporaryDirectory(t);
  makeStateDirectory(root, 'c1');
  fails(() => makeStateDirectory(root, 'c1'), 'E_ID_EXISTS', /container with given ID already exists: c1/);
  fails(() => makeStateDirectory(`${root}/no`, 'c1'), 'E_ROOT', /mkdir .*no such file or directory/);
});

test('an unusable state tells the file, the reason and the remedy', (t) => {
  const root = temporaryDirectory(t);
  makeStateDirectory(root, 'c1');
  const file = statePath(root, 'c1');
  fails(() => readState(root, 'c1'), 'E_STATE_CORRUPT', /state\.json: it does not exist .*delete --force c1/);
  const good = JSON.stringify(fakeState(root, 'c1'));
  const bad: [string, RegExp][] = [
    ['', /state\.json: .*JSON/],
    [good.slice(0, 100), /JSON/],
    ['\0'.repeat(200), /JSON/],
    ['null', /not an object/],
    ['[]', /stateVersion/],
    [good.replace('"stateVersion":1', '"stateVersion":2'), /stateVersion is 2, this runts reads 1/],
    [good.replace('"id":"c1"', '"id":"c2"'), /it is of container "c2"/],
    [good.replace('"init":null', '"init":"x"'), /init is missing or of a wrong type/],
    [good.replace('"init":null', '"init":{"pid":1}'), /init is missing/],
    [good.replace('"cgroup":null', '"cgroup":{}'), /cgroup is missing/],
    [good.replace('"poststop":[]', '"poststop":1'), /hooks is missing or of a wrong type/],
    [good.replace('"bundle"', '"bumble"'), /bundle is missing/],
    [good.replace(/"process":\{.*?\}\}/, '"process":null'), /process is missing/],
  ];
  for (const [text, pattern] of bad) {
    writeFileSync(file, text);
    fails(() => readState(root, 'c1'), 'E_STATE_CORRUPT', pattern);
  }
  rmSync(file);
  mkdirSync(file);
  fails(() => readState(root, 'c1'), 'E_STATE_CORRUPT', /state\.json: is a directory .*delete --force c1/);
});

const needsRoot = process.getuid?.() !== 0 && 'needs root for a mount';

test('a full disk leaves the old state and no temporary file', { skip: needsRoot }, (t) => {
  const root = temporaryDirectory(t);
  const script = `
    import { readdirSync } from 'node:fs';
    import { makeStateDirectory, writeState, readState } from '${import.meta.dirname}/state.ts';
    import { fakeState } from '${import.meta.dirname}/fixture.ts';
    const state = fakeState('${root}', 'c1');
    makeStateDirectory('${root}', 'c1');
    writeState(state);
    try {
      writeState({ ...state, phase: 'created', annotations: { big: 'x'.repeat(100000) } });
    } catch ({ code, message, details }) {
      const { phase } = readState('${root}', 'c1');
      console.log(JSON.stringify({ code, message, errno: details.errno, phase, names: readdirSync('${root}/c1') }));
    }`;
  // A tiny file system in a mount namespace of its own.
  const inside = 'mount -t tmpfs -o size=16k none "$1" && exec "$2" --import tsx --input-type=module -e "$3"';
  const result = spawnSync('unshare', ['-m', 'sh', '-c', inside, 'sh', root, process.execPath, script], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH },
  });
  if (/unshare|mount/.test(result.stderr)) {
    t.skip(`no private mount namespace: ${result.stderr.trim()}`);
    return;
  }
  assert.equal(result.stderr, '');
  const { code, errno, message, phase, names } = JSON.parse(result.stdout);
  assert.equal(code, 'E_ROOT');
  assert.equal(errno, 'ENOSPC');
  assert.match(message, /cannot write the state of container c1: .*no space left on device \(make room/);
  assert.equal(phase, 'running');
  assert.deepEqual(names, ['state.json']);
});

test('a folder is removed with whatever is in it, and twice', (t) => {
  const root = temporaryDirectory(t);
  putState(root, 'c1');
  writeFileSync(`${root}/c1/lock`, '');
  writeFileSync(`${root}/c1/state.json.new`, 'cut o');
  truncateSync(statePath(root, 'c1'));
  removeStateDirectory(root, 'c1');
  assert.equal(stateExists(root, 'c1'), false);
  removeStateDirectory(root, 'c1');
});

test('folders in it are removed as well, with what they hold', (t) => {
  const root = temporaryDirectory(t);
  putState(root, 'c1');
  mkdirSync(`${root}/c1/notify`);
  writeFileSync(`${root}/c1/notify/notify.sock`, '');
  removeStateDirectory(root, 'c1');
  assert.ok(!existsSync(`${root}/c1`));
});

test('what can not be removed is told', (t) => {
  const root = temporaryDirectory(t);
  writeFileSync(`${root}/c1`, 'a file');
  fails(() => removeStateDirectory(root, 'c1'), 'E_ROOT', /cannot remove container c1/);
});

test('the time of creation is RFC 3339 in UTC', () => {
  assert.match(timestamp(), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.ok(Math.abs(Date.parse(timestamp()) - Date.now()) < 1000);
});

test('secrets stay out of other users reach from the first byte on', (t) => {
  const root = temporaryDirectory(t);
  const old = process.umask(0);
  t.after(() => process.umask(old));
  putState(root, 'c1', { process: { args: ['sh'], cwd: '/', user: { uid: 0, gid: 0 }, env: ['TOKEN=x'] } });
  assert.equal(statSync(`${root}/c1`).mode & 0o077, 0);
  assert.equal(statSync(statePath(root, 'c1')).mode & 0o077, 0);
  assert.match(readFileSync(statePath(root, 'c1'), 'utf8'), /TOKEN=x/);
});
