/** Which descriptors get into a container: those that the caller names, and no other. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  privateWorld,
  type Result,
  type Runtime,
  runtimes,
  session,
  tempBundle,
  temporaryFolder,
  uniqueId,
} from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { scriptBundle, testsOf } from './support/inside.ts';

const { skip } = privateWorld();

/** Numbers of the descriptors that a process has, but for the one that the listing itself takes. */
const LIST = 'cd /proc/self/fd; for fd in *; do [ -e $fd ] && printf "%s " $fd; done; echo';

/** Runs a command of the runtime with descriptors from 3 on: what is in these files. */
function withDescriptors(
  t: TestContext,
  runtime: Runtime,
  root: string,
  args: readonly string[],
  contents: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Result {
  const folder = temporaryFolder(t);
  const fds = contents.map((content, i) => {
    writeFileSync(join(folder, String(i)), content);
    return openSync(join(folder, String(i)), 'r');
  });
  const [file, ...first] = runtime.command;
  const { status, stdout, stderr } = spawnSync(file!, [...first, '--root', root, ...JSON_LOG, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', ...fds],
    env: { PATH: process.env.PATH, ...env },
    encoding: 'utf8',
    timeout: 30_000,
  });
  for (const fd of fds) closeSync(fd);
  return { code: status ?? -1, stdout, stderr };
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('--preserve-fds: that many, with their content, after the standard streams', (t) => {
    const s = session(t, runtime);
    const bundle = scriptBundle(t, `cat <&3; cat <&4; ${LIST}`);
    const run = (flags: string[]): Result =>
      withDescriptors(
        t,
        runtime,
        s.root,
        ['run', ...flags, '--bundle', bundle.path, uniqueId()],
        ['three\n', 'four\n', 'five\n'],
      );
    const two = run(['--preserve-fds', '2']);
    assert.deepEqual([two.code, two.stdout, two.stderr], [0, 'three\nfour\n0 1 2 3 4 \n', '']);
    bundle.config.process.args[2] = LIST;
    bundle.save();
    assert.equal(run([]).stdout, '0 1 2 \n');
    assert.equal(run(['--preserve-fds=3']).stdout, '0 1 2 3 4 5 \n');
    const missing = failureOf(run(['--preserve-fds', '4']));
    assert.deepEqual([missing.exit, missing.code], [1, 'E_FDS']);
    assert.match(missing.msg, /descriptor 6 is not open/);
    for (const value of ['-1', 'many', '1.5', '99999999999']) {
      assert.equal(failureOf(run([`--preserve-fds=${value}`])).exit, 1, value);
    }
  });

  it('--preserve-fds of create and exec', async (t) => {
    const s = session(t, runtime);
    const folder = temporaryFolder(t);
    const bundle = scriptBundle(t, `cat <&3 > /tmp/out; (${LIST}) >> /tmp/out; exec sleep 60`, {
      config: (spec) => {
        spec.mounts.push({ destination: '/tmp', source: folder, options: ['bind'] });
      },
    });
    const id = uniqueId();
    // Its streams would be pipes that stay open: what it prints goes into a file.
    const [file, ...first] = runtime.command;
    const input = openSync(join(bundle.path, 'config.json'), 'r');
    const { status } = spawnSync(
      file!,
      [...first, '--root', s.root, 'create', '--preserve-fds', '1', '--bundle', bundle.path, id],
      { stdio: ['ignore', 'ignore', 'ignore', input] },
    );
    closeSync(input);
    assert.equal(status, 0);
    s.ok(['start', id]);
    const output = join(folder, 'out');
    for (let i = 0; i < 200 && !/ \n$/.test(tryRead(output)); i++) await delay(20);
    const text = readFileSync(output, 'utf8');
    assert.equal(text, `${readFileSync(join(bundle.path, 'config.json'), 'utf8')}0 1 2 3 \n`);
    const exec = withDescriptors(
      t,
      runtime,
      s.root,
      ['exec', '--preserve-fds', '1', id, 'sh', '-c', `cat <&3; ${LIST}`],
      ['x\n', 'y\n'],
    );
    assert.deepEqual([exec.code, exec.stdout], [0, 'x\n0 1 2 3 \n'], exec.stderr);
    const none = withDescriptors(t, runtime, s.root, ['exec', id, 'sh', '-c', LIST], ['x\n', 'y\n']);
    assert.equal(none.stdout, '0 1 2 \n');
    assert.equal(
      failureOf(withDescriptors(t, runtime, s.root, ['exec', '--preserve-fds', '3', id, 'true'], ['x'])).exit,
      255,
    );
  });

  it('LISTEN_FDS: sockets of the caller come first, and --preserve-fds after them', (t) => {
    const s = session(t, runtime);
    const bundle = scriptBundle(t, `echo $LISTEN_FDS $LISTEN_PID; ${LIST}`);
    const run = (flags: string[], env: NodeJS.ProcessEnv): Result =>
      withDescriptors(
        t,
        runtime,
        s.root,
        ['run', ...flags, '--bundle', bundle.path, uniqueId()],
        ['3', '4', '5'],
        env,
      );
    assert.equal(run([], { LISTEN_FDS: '2' }).stdout, '2 1\n0 1 2 3 4 \n');
    assert.equal(run(['--preserve-fds', '1'], { LISTEN_FDS: '2' }).stdout, '2 1\n0 1 2 3 4 5 \n');
    assert.equal(failureOf(run([], { LISTEN_FDS: '4' })).code, 'E_FDS');
    for (const LISTEN_FDS of ['', '0', 'nonsense', '-1']) {
      const { code, stdout } = run([], { LISTEN_FDS });
      assert.deepEqual([code, stdout.split('\n')[1]], [0, '0 1 2 '], LISTEN_FDS);
    }
  });

  it('a caller without standard streams', (t) => {
    const s = session(t, runtime);
    const folder = temporaryFolder(t);
    const bundle = scriptBundle(t, `(${LIST}) > /tmp/list; ls -l /proc/self/fd >> /tmp/list; exit 7`, {
      config: (spec) => {
        spec.mounts.push({ destination: '/tmp', source: folder, options: ['bind'] });
      },
    });
    const { status } = spawnSync(
      'sh',
      [
        '-c',
        'exec "$@" <&- >&- 2>&-',
        'sh',
        ...runtime.command,
        '--root',
        s.root,
        'run',
        '--bundle',
        bundle.path,
        uniqueId(),
      ],
      { timeout: 30_000 },
    );
    assert.equal(status, 7);
    const text = readFileSync(join(folder, 'list'), 'utf8');
    // Whatever stands there in their place, it is nothing of the host but its null device.
    for (const [, target] of text.matchAll(/ -> (.*)$/gm))
      assert.match(target!, /^(\/dev\/null|\/tmp\/list|\/proc\/\d+\/fd|\/null)$/, text);
  });

  it('descriptors that the caller forgot to close stay outside', (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, { args: ['sh', '-c', LIST], rootfs: 'shared' });
    const { stdout } = withDescriptors(
      t,
      runtime,
      s.root,
      ['run', '--bundle', bundle.path, uniqueId()],
      Array(40).fill('secret'),
    );
    assert.equal(stdout, '0 1 2 \n');
  });
}

function tryRead(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
