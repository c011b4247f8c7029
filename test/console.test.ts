/** A terminal that is handed over by --console-socket, as containerd and conmon take it. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, mkdirSync, readdirSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setWindowSize } from '../ffi/terminal.ts';
import { missing, privateWorld, runtimes, session, temporaryFolder, uniqueId } from './harness/index.ts';
import { consoleSocket, Master } from './support/console.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { scriptBundle, testsOf } from './support/inside.ts';

const { skip } = privateWorld();

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip || missing('stty'));

  it('create: the master arrives, with the size of the config', async (t) => {
    const { path, message } = await consoleSocket(t);
    const s = session(t, runtime);
    const bundle = scriptBundle(
      t,
      `tty; stty size; stat -c "%u:%g %t:%T" /dev/console; ls -l /proc/self/fd/0 | sed 's/.*-> //'
       trap 'echo resized $(stty size)' WINCH; echo armed; while ! read line; do :; done; echo "got $line"`,
      {
        config: (spec) => {
          spec.process.terminal = true;
          spec.process.consoleSize = { height: 21, width: 43 };
          spec.process.user = { uid: 1000, gid: 1000 };
        },
      },
    );
    const { id, code, output } = s.create(bundle, { flags: ['--console-socket', path] });
    assert.equal(code, 0, output());
    const { data, fds } = await message;
    assert.equal(fds.length, 1);
    assert.match(data, /ptmx/);
    assert.ok(fstatSync(fds[0]!).isCharacterDevice());
    const master = new Master(fds[0]!);
    s.ok(['start', id]);
    await master.sees('armed\r\n');
    assert.match(master.text, /^\/dev\/pts\/0\r\n21 43\r\n1000:5 88:0\r\n\/dev\/pts\/0\r\n/);
    setWindowSize(master.fd, { rows: 40, columns: 100 });
    await master.sees('resized 40 100\r\n');
    writeSync(master.fd, 'line\n');
    await master.sees('got line\r\n');
    await s.waitFor(id, 'stopped');
    closeSync(master.fd);
    // Nothing of the container reached the streams of `create`.
    assert.equal(output(), '');
  });

  it('run --detach and exec --detach', async (t) => {
    const first = await consoleSocket(t);
    const second = await consoleSocket(t);
    const s = session(t, runtime);
    const bundle = scriptBundle(t, 'echo first; exec sleep 60', {
      config: (spec) => {
        spec.process.terminal = true;
      },
    });
    const { id, code, output } = s.detach(bundle, { flags: ['--console-socket', first.path] });
    assert.equal(code, 0, output());
    const one = new Master((await first.message).fds[0]!);
    await one.sees('first\r\n');
    s.ok(['exec', '--tty', '--detach', '--console-socket', second.path, id, 'sh', '-c', 'tty; sleep 60']);
    const two = new Master((await second.message).fds[0]!);
    await two.sees('/dev/pts/1\r\n');
    closeSync(two.fd);
    closeSync(one.fd);
  });

  it('a socket whose path is longer than the kernel’s address', async (t) => {
    const folder = join(temporaryFolder(t), 'x'.repeat(120));
    mkdirSync(folder);
    const { path, message } = await consoleSocket(t);
    const long = join(folder, 'socket');
    assert.equal(spawnSync('ln', [path, long]).status, 0);
    const s = session(t, runtime);
    const bundle = scriptBundle(t, 'true', {
      config: (spec) => {
        spec.process.terminal = true;
      },
    });
    const { code, output } = s.create(bundle, { flags: ['--console-socket', long] });
    assert.equal(code, 0, output());
    closeSync((await message).fds[0]!);
  });

  it('what can’t be, and nothing is left', (t) => {
    const s = session(t, runtime);
    const file = join(temporaryFolder(t), 'file');
    writeFileSync(file, '');
    const cases: [terminal: boolean, command: string, flags: string[], pattern: RegExp][] = [
      [true, 'create', [], /cannot allocate tty if runc will detach without setting console socket/],
      [true, 'run', ['--detach'], /cannot allocate tty if runc will detach without setting console socket/],
      [
        false,
        'create',
        ['--console-socket', file],
        /cannot use console socket if runc will not detach or allocate tty/,
      ],
      [
        true,
        'run',
        ['--console-socket', file],
        /cannot use console socket if runc will not detach or allocate tty/,
      ],
      [true, 'create', ['--console-socket', '/no/such'], /--console-socket.*no such file or directory/i],
      [true, 'create', ['--console-socket', file], /--console-socket.*connection refused/i],
    ];
    for (const [terminal, command, flags, pattern] of cases) {
      const bundle = scriptBundle(t, 'true', {
        config: (spec) => {
          spec.process.terminal = terminal;
        },
      });
      const result = s.call([command, ...flags, '--bundle', bundle.path, uniqueId()], { globals: JSON_LOG });
      const { exit, msg } = failureOf(result);
      assert.equal(exit, 1, `${command} ${flags}`);
      assert.match(msg, pattern);
      assert.deepEqual(tryList(s.root), []);
    }
  });

  it('a terminal without a devpts', (t) => {
    const s = session(t, runtime);
    const bundle = scriptBundle(t, 'true', {
      config: (spec) => {
        spec.process.terminal = true;
        spec.mounts = spec.mounts.filter(({ destination }) => destination !== '/dev/pts');
      },
    });
    const { exit, msg } = failureOf(s.run(bundle, { globals: JSON_LOG }));
    assert.equal(exit, 1);
    assert.match(msg, /process\.terminal: openat2\(.*ENOENT.*devpts/);
  });
}

function tryList(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
