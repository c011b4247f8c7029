/** `exec`: a further process in a container. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { AF, SOCK } from '../ffi/constants/socket.ts';
import { POLL } from '../ffi/descriptors.ts';
import { syscall } from '../ffi/local.ts';
import { whenReady } from '../ffi/ready.ts';
import { type ReceivedMessage, receiveDescriptors, socketAddress } from '../src/linux/socket.ts';
import { privateWorld, runtimes, session, tempBundle, temporaryFolder } from './harness/index.ts';
import { testsOf } from './support/inside.ts';

const { skip } = privateWorld();

/** Listens on a stream socket; the result gives the first message of the first connection, with its descriptors. */
function listener(path: string): () => Promise<ReceivedMessage> {
  const server = syscall('socket', [AF.UNIX, SOCK.STREAM | SOCK.CLOEXEC, 0]);
  const address = socketAddress(path);
  syscall('bind', [server, address, address.length]);
  syscall('listen', [server, 1]);
  return async () => {
    const [events = 0] = await whenReady([{ fd: server, events: POLL.IN }], 10_000);
    assert.equal(events & POLL.IN, POLL.IN, 'nobody has connected in 10 seconds');
    const connection = syscall('accept4', [server, null, null, SOCK.CLOEXEC]);
    const [data = 0] = await whenReady([{ fd: connection, events: POLL.IN }], 10_000);
    assert.equal(data & POLL.IN, POLL.IN, 'no message in 10 seconds');
    return receiveDescriptors(connection);
  };
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  /** A running container with a script that sleeps. */
  const sleeping = (t: Parameters<typeof session>[0], user = { uid: 0, gid: 0 }) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, {
      args: ['sleep', '100'],
      config: (spec) => {
        spec.process.user = user;
        spec.process.env = ['PATH=/bin', 'OF=container'];
      },
    });
    const { id, code, output } = s.detach(bundle);
    assert.equal(code, 0, output());
    return { s, id, bundle, folder: temporaryFolder(t) };
  };

  it('it has the container’s environment and user, or those of the flags, and its exit code is passed on', (t) => {
    const { s, id } = sleeping(t, { uid: 5, gid: 6 });
    assert.equal(s.ok(['exec', id, 'sh', '-c', 'echo $OF $(id -u) $(id -g)']), 'container 5 6\n');
    const flags = ['-u', '7:8', '-g', '9', '-e', 'OF=flag', '--cwd', '/bin'];
    assert.equal(
      s.ok(['exec', ...flags, id, 'sh', '-c', 'echo $OF $(id -u) $(id -G) $PWD']),
      'flag 7 8 9 /bin\n',
    );
    assert.equal(s.call(['exec', id, 'sh', '-c', 'exit 7']).code, 7);
    assert.equal(s.call(['exec', id, 'sh', '-c', 'kill -TERM $$']).code, 143);
  });

  it('with --process from a pipe, as a shell’s <(command) is', (t) => {
    const { s, id } = sleeping(t);
    const json = JSON.stringify({ args: ['echo', 'from a pipe'], cwd: '/', env: ['PATH=/bin'] });
    const argv = [...runtime.command, '--root', s.root, 'exec', '--process', '/dev/stdin', id];
    const script = '{ sleep 0.2; printf %s "$0"; } | "$@"';
    const { stdout, stderr } = spawnSync('sh', ['-c', script, json, ...argv], { encoding: 'utf8' });
    assert.deepEqual([stdout, stderr], ['from a pipe\n', '']);
  });

  it('with --process everything comes from the file', (t) => {
    const { s, id, folder } = sleeping(t);
    const file = join(folder, 'process.json');
    const process = {
      args: ['sh', '-c', 'id -u; pwd; env'],
      cwd: '/bin',
      user: { uid: 3, gid: 4 },
      env: ['PATH=/bin', 'X=y', 'HOME=/'],
    };
    writeFileSync(file, JSON.stringify(process));
    const lines = s.ok(['exec', '--process', file, '-u', '1', id]).trim().split('\n');
    assert.deepEqual(lines.slice(0, 2), ['3', '/bin']);
    assert.ok(lines.includes('X=y') && !lines.includes('OF=container'), lines.join());
  });

  it('what the file says nothing of is the container’s: capabilities, and the score for lack of memory', (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, {
      args: ['sleep', '100'],
      config: ({ process }) => {
        process.capabilities = { bounding: ['CAP_KILL'], permitted: ['CAP_KILL'], effective: ['CAP_KILL'] };
        Object.assign(process, { oomScoreAdj: 300, scheduler: { policy: 'SCHED_BATCH' } });
      },
    });
    const { id, code, output } = s.detach(bundle);
    assert.equal(code, 0, output());
    const look = [
      'sh',
      '-c',
      'grep Cap /proc/self/status; cat /proc/self/oom_score_adj; cat /proc/self/stat',
    ];
    const file = join(temporaryFolder(t), 'process.json');
    const told = (args: string[]): Record<'bounding' | 'effective' | 'score' | 'policy', string> => {
      const lines = s
        .ok(['exec', ...args])
        .trim()
        .split('\n');
      const sets = Object.fromEntries(lines.slice(0, 5).map((line) => line.split(':\t')));
      // Field 41 of proc_pid_stat(5): the policy; a program's name is in parentheses.
      const policy = lines[6]?.replace(/^.*\) /, '').split(' ')[41 - 3];
      return { bounding: sets.CapBnd, effective: sets.CapEff, score: lines[5] ?? '', policy: policy ?? '' };
    };
    const fileOf = (changes: object): string[] => {
      writeFileSync(file, JSON.stringify({ args: look, cwd: '/', env: ['PATH=/bin'], ...changes }));
      return ['--process', file, id];
    };
    const kill = '0000000000000020';
    const own = { bounding: kill, effective: kill, score: '300', policy: '3' };
    assert.deepEqual(told([id, ...look]), own);
    assert.deepEqual(told(fileOf({})), own);
    const none = '0'.repeat(16);
    assert.deepEqual(
      told(fileOf({ capabilities: {}, oomScoreAdj: 400, scheduler: { policy: 'SCHED_OTHER' } })),
      { bounding: none, effective: none, score: '400', policy: '0' },
    );
    // Lower than what it may have here: a right that the container's maker had.
    const { score } = told(fileOf({ oomScoreAdj: -1000 }));
    assert.ok(['-1000', readFileSync('/proc/self/oom_score_adj', 'utf8').trim()].includes(score), score);
  });

  it('detached it returns at once, with a pid file that has digits alone', async (t) => {
    const { s, id, folder } = sleeping(t);
    const file = join(folder, 'process.json');
    const pidFile = join(folder, 'exec.pid');
    writeFileSync(file, JSON.stringify({ args: ['sleep', '99'], cwd: '/', env: ['PATH=/bin'] }));
    const child = s.spawn(['exec', '--process', file, '--detach', '--pid-file', pidFile, id]);
    assert.deepEqual(await once(child, 'exit'), [0, null]);
    const pid = readFileSync(pidFile, 'latin1');
    assert.match(pid, /^[0-9]+$/);
    assert.equal(readFileSync(`/proc/${pid}/cmdline`, 'latin1'), 'sleep\x0099\0');
  });

  it('what fails before the command runs is 255, and leaves no pid file', (t) => {
    const { s, id, folder } = sleeping(t);
    const pidFile = join(folder, 'exec.pid');
    const failure = (...args: string[]): string => {
      const { code, stderr } = s.call(['exec', '--pid-file', pidFile, ...args]);
      assert.equal(code, 255, stderr);
      assert.ok(!existsSync(pidFile));
      return stderr;
    };
    assert.match(failure(id, 'missing'), /exec: \\?"missing\\?": executable file not found in \$PATH/);
    assert.match(failure(id, '/missing'), /no such file or directory/);
    assert.match(failure('nobody', 'true'), /container does not exist/);
    assert.match(failure('-u', '0x0', id, 'true'), /--user: .*0x0.* is no id/);
    assert.match(failure('-u', '', '-u', ' 0', id, 'true'), /is no id/);
    assert.match(failure('--cwd', '/missing', id, 'true'), /process\.cwd/);
    assert.match(failure('--cgroup', '../..', id, 'true'), /leads out of the container/);
    assert.match(failure('--process', join(folder, 'none'), id), /process file not found/);
    assert.match(failure(id), /process args cannot be empty/);
    assert.match(
      failure('--detach', '--tty', id, 'true'),
      /cannot allocate tty if runc will detach without setting console socket/,
    );
    assert.match(failure('--pidfd-socket', join(folder, 'none'), id, 'true'), /--pidfd-socket/);
  });

  it('not in a container that is stopped, or paused', async (t) => {
    const { s, id } = sleeping(t);
    const paused = s.call(['pause', id]);
    if (paused.code === 0) {
      const { code, stderr } = s.call(['exec', id, 'true']);
      assert.equal(code, 255);
      assert.match(stderr, /cannot exec in a paused container \(use --ignore-paused to override\)/);
      s.ok(['resume', id]);
    }
    s.ok(['kill', id, 'KILL']);
    await s.waitFor(id, 'stopped');
    const { code, stderr } = s.call(['exec', id, 'true']);
    assert.equal(code, 255);
    assert.match(stderr, /cannot exec in a stopped container/);
  });

  it('a container that dies in this moment is stopped, or had time to run it', async (t) => {
    const { s, id } = sleeping(t);
    const children = [0, 1, 2, 3].map(() => s.spawn(['exec', id, 'true']));
    const results = children.map(async (child) => {
      let text = '';
      child.stderr!.on('data', (data) => {
        text += data;
      });
      const [code] = await once(child, 'close');
      return { code, text };
    });
    await delay(5);
    s.ok(['kill', id, 'KILL']);
    for (const { code, text } of await Promise.all(results)) {
      if (code === 255) assert.match(text, /cannot exec in a stopped container/);
      else assert.ok(code === 0 || code === 137, `${code}: ${text}`);
    }
  });

  it('the terminal goes to the console socket', async (t) => {
    const { s, id, folder } = sleeping(t);
    const path = join(folder, 'console.sock');
    const file = join(folder, 'process.json');
    writeFileSync(
      file,
      JSON.stringify({
        terminal: true,
        args: ['sh', '-c', 'test -t 0 && sleep 9'],
        cwd: '/',
        env: ['PATH=/bin'],
      }),
    );
    const receive = listener(path);
    const pidFile = join(folder, 'pid');
    const flags = ['--detach', '--pid-file', pidFile, '--console-socket', path];
    const child = s.spawn(['exec', '--process', file, ...flags, id]);
    let errors = '';
    child.stderr!.on('data', (data) => {
      errors += data;
    });
    const { fds } = await receive();
    const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
    assert.equal(code, 0, errors);
    assert.ok(isatty(fds[0] ?? -1));
    assert.match(readFileSync(pidFile, 'latin1'), /^[0-9]+$/);
  });

  for (const command of ['exec', 'run']) {
    it(`${command} --pidfd-socket sends a pidfd of the process`, async (t) => {
      const folder = temporaryFolder(t);
      const path = join(folder, 'pidfd.sock');
      const receive = listener(path);
      const pidFile = join(folder, 'pid');
      const flags = ['--detach', '--pid-file', pidFile, '--pidfd-socket', path];
      const { s, id, bundle } = sleeping(t);
      if (command === 'run') s.ok(['delete', '--force', id]);
      const rest = command === 'run' ? ['--bundle', bundle.path, id] : [id, 'sleep', '50'];
      const started = s.spawn([command, ...flags, ...rest]);
      const { data, fds } = await receive();
      if (started.exitCode === null) await once(started, 'exit');
      assert.equal(new TextDecoder().decode(data), command === 'exec' ? 'setns' : 'standard');
      const info = readFileSync(`/proc/self/fdinfo/${fds[0]}`, 'latin1');
      assert.equal(/^Pid:\t(\d+)$/m.exec(info)?.[1], readFileSync(pidFile, 'latin1'));
    });
  }
}
