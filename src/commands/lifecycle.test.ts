/** state, list, kill and delete on states that no `create` made. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { CommandContext } from '../cli/types.ts';
import { fakeState, putState, sleeper, temporaryDirectory } from '../container/fixture.ts';
import { identify, type ProcessIdentity } from '../container/process.ts';
import { fifoPath, makeStateDirectory, statePath } from '../container/state.ts';
import { type ErrorCode, RuntsError } from '../errors.ts';
import { userNames } from '../linux/users.ts';
import { run as deleteRun } from './delete.ts';
import { run as killRun } from './kill.ts';
import { table } from './list.ts';

const DEAD: ProcessIdentity = { pid: process.pid, startTime: 1 };
const me = identify('self') as ProcessIdentity;
const main = fileURLToPath(new URL('../cli/main.ts', import.meta.url));

function context(root: string, operands: string[], flags: CommandContext['flags'] = {}): CommandContext {
  return {
    global: {
      root,
      rootExplicit: true,
      logFormat: 'text',
      logLevel: 'warning',
      systemdCgroup: false,
      cgroupManager: 'cgroupfs',
      rootless: 'auto',
    },
    flags,
    operands,
  };
}

/** The whole program, for what it prints. */
function runts(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  return spawnSync(process.execPath, ['--import', 'tsx', main, ...args], { encoding: 'utf8', env });
}

async function rejects(promise: Promise<unknown>, code: ErrorCode, pattern: RegExp): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof RuntsError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, pattern);
    return true;
  });
}

test('state prints JSON as runc does', (t) => {
  const root = temporaryDirectory(t);
  putState(root, 'c1', { init: me, annotations: { k: 'v' } });
  assert.equal(
    runts('--root', root, 'state', 'c1').stdout,
    `{
  "ociVersion": "1.3.0",
  "id": "c1",
  "pid": ${me.pid},
  "status": "running",
  "bundle": "/bundles/c1",
  "rootfs": "/bundles/c1/rootfs",
  "created": "2026-01-02T03:04:05.678Z",
  "annotations": {
    "k": "v"
  },
  "owner": ""
}
`,
  );
});

test('state of what is no container', (t) => {
  const root = temporaryDirectory(t);
  const unknown = runts('--root', root, 'state', 'no');
  assert.equal(unknown.status, 1);
  assert.match(unknown.stderr, /container does not exist/);
  assert.match(runts('--root', root, 'state', '../x').stderr, /invalid container ID format/);
  makeStateDirectory(root, 'half');
  assert.match(runts('--root', root, 'state', 'half').stderr, /delete --force half/);
});

test('list: table, json and ids, in the presence of what is no container', (t) => {
  const root = temporaryDirectory(t);
  putState(root, 'b', { init: me, owner: 4_000_000_000 });
  putState(root, 'a', { bundle: '/with\nnewline' });
  makeStateDirectory(root, 'half');
  writeFileSync(`${root}/file`, '');
  mkdirSync(`${root}/~cache`);

  const { status, stdout, stderr } = runts('--root', root, 'list');
  assert.equal(status, 0);
  assert.equal(
    stdout,
    [
      'ID          PID         STATUS      BUNDLE           CREATED                    OWNER',
      'a           0           stopped     /with\\nnewline   2026-01-02T03:04:05.678Z   root',
      `b           ${String(me.pid).padEnd(12)}running     /bundles/b       2026-01-02T03:04:05.678Z   #4000000000`,
      '',
    ].join('\n'),
  );
  assert.equal(stderr.trim().split('\n').length, 1, stderr);
  assert.match(stderr, /level=warning .*half/);

  const json = runts('--root', root, 'list', '--format', 'json').stdout;
  assert.equal(json.trim().split('\n').length, 1);
  assert.deepEqual(
    JSON.parse(json).map((c: { id: string; owner: string }) => [c.id, c.owner]),
    [
      ['a', 'root'],
      ['b', '#4000000000'],
    ],
  );
  assert.equal(runts('--root', root, 'list', '-q').stdout, 'a\nb\n');
});

test('list of nothing', (t) => {
  const root = temporaryDirectory(t);
  assert.equal(
    runts('--root', root, 'list').stdout,
    'ID          PID         STATUS      BUNDLE      CREATED     OWNER\n',
  );
  assert.equal(runts('--root', root, 'list', '-f', 'json').stdout, 'null\n');
  assert.equal(runts('--root', root, 'list', '-q').stdout, '');
  const missing = runts('--root', `${root}/no`, 'list');
  assert.equal(missing.status, 1);
  assert.match(missing.stderr, /open .*\/no: no such file or directory/);
  assert.match(runts('--root', root, 'list', '-f', 'xml').stderr, /invalid format option/);
});

test('the table is laid out as runc does it', () => {
  // Printed by runc 1.1.5.
  const expected = `ID          PID         STATUS      BUNDLE                CREATED                          OWNER
full        20253       created     /tmp/h-state/b-full   2026-11-22T01:55:44.996245279Z   root
p           20301       running     /tmp/h-state/b        2026-11-22T01:55:45.235095576Z   root
`;
  const rows = expected
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ +/));
  assert.equal(table(rows), expected);
});

test('names of users', () => {
  const names = userNames(
    'root:x:0:0::/:/bin/sh\n\n#c\nbad:x:nan:0\ntoor:x:0:0\nu:x:1000:1000:,,:/:/x\nhalf',
  );
  assert.deepEqual(
    [...names],
    [
      [0, 'root'],
      [1000, 'u'],
    ],
  );
});

test('kill sends the signal by any name, TERM by default', async (t) => {
  const root = temporaryDirectory(t);
  const cases: [string[], string][] = [
    [[], 'SIGTERM'],
    [['KILL'], 'SIGKILL'],
    [['sigusr1'], 'SIGUSR1'],
    [['12'], 'SIGUSR2'],
  ];
  for (const [operands, expected] of cases) {
    const { identity, ended } = await sleeper(t);
    const id = expected;
    putState(root, id, { init: identity });
    assert.equal(await killRun(context(root, [id, ...operands])), 0);
    assert.equal(await ended, expected);
    await rejects(killRun(context(root, [id])), 'E_NOT_RUNNING', /^container not running$/);
    assert.equal(await killRun(context(root, [id, '9'], { all: true })), 0, '--all of a stopped container');
  }
});

test('kill in the other states', async (t) => {
  const root = temporaryDirectory(t);
  const { identity, ended } = await sleeper(t);
  putState(root, 'created', { phase: 'created', init: identity });
  writeFileSync(fifoPath(root, 'created'), '');
  putState(root, 'creating', { phase: 'creating', creator: me, init: identity });
  putState(root, 'abandoned', { phase: 'creating', creator: DEAD, init: identity });
  putState(root, 'reused', { init: { ...identity, startTime: 7 } });
  await rejects(killRun(context(root, ['creating', '9'])), 'E_WRONG_STATE', /still being created/);
  await rejects(killRun(context(root, ['abandoned', '9'])), 'E_NOT_RUNNING', /not running/);
  await rejects(killRun(context(root, ['reused', '9'])), 'E_NOT_RUNNING', /not running/);
  await rejects(killRun(context(root, ['no', '9'])), 'E_NOT_FOUND', /does not exist/);
  await rejects(killRun(context(root, ['created', 'NOSIG'])), 'E_SIGNAL', /unknown signal/);
  assert.equal(await killRun(context(root, ['created', '0'])), 0);
  assert.equal(await killRun(context(root, ['created', 'HUP'])), 0);
  assert.equal(await ended, 'SIGHUP');
});

test('delete removes a stopped container, and only once', async (t) => {
  const root = temporaryDirectory(t);
  putState(root, 'c1', { init: DEAD });
  assert.equal(await deleteRun(context(root, ['c1'])), 0);
  assert.deepEqual(readdirSync(root), []);
  await rejects(deleteRun(context(root, ['c1'])), 'E_NOT_FOUND', /does not exist/);
  assert.equal(await deleteRun(context(root, ['c1'], { force: true })), 0);
  await rejects(deleteRun(context(root, ['../c1'], { force: true })), 'E_ID_INVALID', /invalid/);
});

test('delete of a running container needs --force', async (t) => {
  const root = temporaryDirectory(t);
  const { identity, ended } = await sleeper(t);
  putState(root, 'c1', { init: identity });
  await rejects(
    deleteRun(context(root, ['c1'])),
    'E_WRONG_STATE',
    /^cannot delete container c1 that is not stopped: running \(kill it first, or delete it with --force\)$/,
  );
  assert.deepEqual(readdirSync(root), ['c1']);
  assert.equal(await deleteRun(context(root, ['c1'], { force: true })), 0);
  assert.equal(await ended, 'SIGKILL');
  assert.deepEqual(readdirSync(root), []);
});

test('delete of a created container ends its init', async (t) => {
  const root = temporaryDirectory(t);
  const { identity, ended } = await sleeper(t);
  putState(root, 'c1', { phase: 'created', init: identity });
  writeFileSync(fifoPath(root, 'c1'), '');
  assert.equal(await deleteRun(context(root, ['c1'])), 0);
  assert.equal(await ended, 'SIGKILL');
  assert.deepEqual(readdirSync(root), []);
});

test('delete after a create that was killed', async (t) => {
  const root = temporaryDirectory(t);
  const { identity, ended } = await sleeper(t);
  putState(root, 'c1', { phase: 'creating', creator: DEAD, init: identity });
  assert.equal(await deleteRun(context(root, ['c1'])), 0);
  assert.equal(await ended, 'SIGKILL');
  putState(root, 'c2', { phase: 'creating', creator: me });
  await rejects(deleteRun(context(root, ['c2'])), 'E_WRONG_STATE', /not stopped: creating/);
});

test('delete --force of what has no usable state', async (t) => {
  const root = temporaryDirectory(t);
  makeStateDirectory(root, 'empty');
  await rejects(deleteRun(context(root, ['empty'])), 'E_STATE_CORRUPT', /delete --force empty/);
  assert.equal(await deleteRun(context(root, ['empty'], { force: true })), 0);

  putState(root, 'cut', { init: DEAD });
  truncateSync(statePath(root, 'cut'), 50);
  writeFileSync(`${statePath(root, 'cut')}.new`, 'x');
  assert.equal(await deleteRun(context(root, ['cut'], { force: true })), 0);

  const { identity, ended } = await sleeper(t);
  makeStateDirectory(root, 'later');
  const text = JSON.stringify(fakeState(root, 'later', { init: identity }));
  writeFileSync(statePath(root, 'later'), text.replace('"stateVersion":1', '"stateVersion":2'));
  await rejects(deleteRun(context(root, ['later'])), 'E_STATE_CORRUPT', /stateVersion is 2/);
  assert.equal(await deleteRun(context(root, ['later'], { force: true })), 0);
  assert.equal(await ended, 'SIGKILL');
  assert.deepEqual(readdirSync(root), []);
});

test('poststop hooks get the stopped state, and their failure is no error', async (t) => {
  const root = temporaryDirectory(t);
  const out = `${root}/out`;
  const script = `${root}/hook`;
  writeFileSync(script, `#!/bin/sh\ncat > ${out}; ls ${root}/c1 >> ${out} 2>/dev/null; exit 3\n`);
  chmodSync(script, 0o755);
  putState(root, 'c1', {
    init: DEAD,
    hooks: { startContainer: [], poststart: [], poststop: [{ path: script }] },
  });
  const { status, stderr } = runts('--root', root, 'delete', 'c1');
  assert.equal(status, 0, stderr);
  assert.match(stderr, /level=warning .*poststop/);
  const state = JSON.parse(spawnSync('cat', [out], { encoding: 'utf8' }).stdout);
  assert.deepEqual(state, {
    ociVersion: '1.3.0',
    id: 'c1',
    status: 'stopped',
    pid: 0,
    bundle: '/bundles/c1',
  });
  rmSync(out);
});
