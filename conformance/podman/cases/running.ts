/**
 * What becomes of a container's process: its streams, exit codes, signals.
 *
 * @module
 */
import { deepEqual, equal, match, notEqual } from 'node:assert/strict';
import { createServer } from 'node:net';
import type { Case } from '../../engines/engine.ts';
import type { Box } from '../podman.ts';
import { ANYWHERE, asBoth, asRoot, WAITS } from './case.ts';

const QUIET = ['--rm', '--network', 'none'];

export const running: readonly Case<Box>[] = [
  ...asBoth(
    'run: output / environment / exit code',
    ({ podman }) => {
      const script = 'echo $FROM_IMAGE $X; echo problem >&2; exit 7';
      const { code, stdout, stderr } = podman.call('run', ...QUIET, '-e', 'X=y', 'box', 'sh', '-c', script);
      deepEqual([code, stdout, stderr], [7, 'yes y\n', 'problem\n']);
    },
    ANYWHERE,
  ),
  ...asBoth('run: no such command is 127 / not executable 126', ({ podman }) => {
    equal(podman.call('run', ...QUIET, 'box', 'nothing-of-this-name').code, 127);
    equal(podman.call('run', ...QUIET, 'box', '/etc').code, 126);
    equal(podman.call('run', ...QUIET, 'box', '/etc/passwd').code, 126);
  }),
  ...asRoot('run: a missing command is named', ({ podman }) => {
    const { stderr } = podman.call('run', ...QUIET, 'box', '/no/command');
    match(stderr, /\/no\/command.*no such file or directory/i);
  }),
  ...asBoth('run -i: standard input', ({ podman }) => {
    equal(podman.feed('one\ntwo\n', 'run', '-i', ...QUIET, 'box', 'wc', '-l'), '2');
  }),
  ...asBoth('run -t: a terminal', ({ podman }) => {
    equal(podman.terminal('run', '-t', ...QUIET, 'box', 'tty'), '/dev/pts/0');
    const script = 'read line; test -t 0 && echo got $line';
    match(podman.typed('line\n', 'run', '-it', ...QUIET, 'box', 'sh', '-c', script), /^got line$/m);
  }),
  ...asRoot('run --preserve-fds', ({ podman, place, run }) => {
    const line = podman.argv('run', '--preserve-fds', '1', ...QUIET, 'box', 'cat', '/proc/self/fd/3');
    const { code, stdout, stderr } = run('sh', '-c', 'exec "$@" 3</etc/passwd', 'sh', ...line);
    equal(code, 0, `${place}: ${stderr}`);
    match(stdout, /^root:/m);
  }),
  ...asBoth('run --init: catatonit is the first process and reaps', ({ podman }) => {
    const out = podman.ok('run', '--init', ...QUIET, 'box', 'sh', '-c', 'cat /proc/1/comm; echo $$');
    const [init, pid] = out.split('\n');
    match(init!, /catatonit|podman-init/);
    notEqual(pid, '1');
  }),
  ...asBoth('run -d / ps / logs / wait', ({ podman, until }) => {
    podman.ok(
      'run',
      '-d',
      '--name',
      'one',
      '--network',
      'none',
      'box',
      'sh',
      '-c',
      'echo out; sleep 1; exit 3',
    );
    equal(podman.ok('wait', 'one'), '3');
    equal(podman.ok('logs', 'one'), 'out');
    until('an exited container', () => podman.ok('ps', '-a', '--format', '{{.Status}}'), /^Exited \(3\)/);
  }),
  ...asBoth('stop: the container ends on SIGTERM', ({ podman, until }) => {
    podman.ok('run', '-d', '--name', 'one', '--network', 'none', 'box', ...WAITS);
    until('its shell', () => podman.ok('logs', 'one'), 'ready');
    podman.ok('stop', 'one');
    equal(podman.ok('inspect', '--format', '{{.State.Status}} {{.State.ExitCode}}', 'one'), 'exited 0');
  }),
  ...asBoth('stop: killed when the time is over', ({ podman }) => {
    podman.ok('run', '-d', '--name', 'one', '--network', 'none', 'box', 'sleep', '1000');
    podman.call('stop', '--time', '1', 'one');
    equal(podman.ok('inspect', '--format', '{{.State.Status}} {{.State.ExitCode}}', 'one'), 'exited 137');
  }),
  ...asBoth('kill --signal', ({ podman, until }) => {
    const script = 'trap "echo got it" USR1; echo ready; while :; do sleep 0.1; done';
    podman.ok('run', '-d', '--name', 'one', '--network', 'none', 'box', 'sh', '-c', script);
    until('its shell', () => podman.ok('logs', 'one'), 'ready');
    podman.ok('kill', '--signal', 'USR1', 'one');
    until('the signal', () => podman.ok('logs', 'one'), 'ready\ngot it');
    podman.ok('kill', 'one');
    equal(podman.ok('wait', 'one'), '137');
  }),
  ...asBoth('create / start / attach', ({ podman }) => {
    podman.ok('create', '-i', '--name', 'one', '--network', 'none', 'box', 'cat');
    equal(podman.ok('inspect', '--format', '{{.State.Status}}', 'one'), 'created');
    equal(podman.feed('through\n', 'start', '--attach', '--interactive', 'one'), 'through');
  }),
  ...asBoth('init / then start', ({ podman }) => {
    podman.ok('create', '--name', 'one', '--network', 'none', 'box', 'echo', 'hello');
    podman.ok('init', 'one');
    equal(podman.ok('inspect', '--format', '{{.State.Status}}', 'one'), 'initialized');
    equal(podman.ok('start', '--attach', 'one'), 'hello');
  }),
  ...asRoot('restart', ({ podman }) => {
    podman.ok('run', '-d', '--name', 'one', '--network', 'none', 'box', 'sleep', '1000');
    const pid = () => podman.ok('inspect', '--format', '{{.State.Pid}}', 'one');
    const before = pid();
    podman.ok('restart', '--time', '0', 'one');
    notEqual(pid(), before);
    equal(podman.ok('exec', 'one', 'echo', 'again'), 'again');
  }),
  ...asRoot('run --restart on-failure', ({ podman, until }) => {
    const args = ['--restart', 'on-failure:2', '--network', 'none', 'box', 'sh', '-c', 'echo try; exit 1'];
    podman.ok('run', '-d', '--name', 'one', ...args);
    until('three tries', () => podman.ok('logs', 'one'), 'try\ntry\ntry');
    until('the end', () => podman.ok('inspect', '--format', '{{.State.Status}}', 'one'), 'exited');
    equal(podman.ok('inspect', '--format', '{{.RestartCount}}', 'one'), '2');
  }),
  ...asRoot('run --timeout', ({ podman }) => {
    notEqual(podman.call('run', '--timeout', '1', ...QUIET, 'box', 'sleep', '1000').code, 0);
  }),
  ...asBoth(
    'pause / unpause',
    ({ podman, rootless, manager }) => {
      podman.ok('run', '-d', '--name', 'one', '--network', 'none', 'box', 'sleep', '1000');
      const status = () => podman.ok('inspect', '--format', '{{.State.Status}}', 'one');
      if (rootless && manager === 'cgroupfs') {
        // Without a cgroup there is nothing to freeze.
        notEqual(podman.call('pause', 'one').code, 0);
        equal(status(), 'running');
        return;
      }
      podman.ok('pause', 'one');
      equal(status(), 'paused');
      notEqual(podman.call('exec', 'one', 'true').code, 0);
      podman.ok('unpause', 'one');
      equal(status(), 'running');
      podman.ok('exec', 'one', 'true');
    },
    ANYWHERE,
  ),
  ...asBoth('exec: environment / folder / user / exit code', ({ podman }) => {
    podman.ok('run', '-d', '--name', 'one', '--network', 'none', 'box', 'sleep', '1000');
    const script = 'echo $X $(pwd) $(id -u) $(id -g); exit 5';
    const args = ['-e', 'X=y', '-w', '/tmp', '-u', '1000:2000', 'one', 'sh', '-c', script];
    const { code, stdout } = podman.call('exec', ...args);
    deepEqual([code, stdout], [5, 'y /tmp 1000 2000\n']);
  }),
  ...asBoth('exec: standard input / a terminal / in the background', ({ podman, until }) => {
    podman.ok('run', '-d', '--name', 'one', '--network', 'none', 'box', 'sleep', '1000');
    equal(podman.feed('abc', 'exec', '-i', 'one', 'cat'), 'abc');
    match(podman.terminal('exec', '-t', 'one', 'tty'), /^\/dev\/pts\/\d+$/);
    podman.ok('exec', '-d', 'one', 'touch', '/tmp/done');
    until('the file', () => podman.ok('exec', 'one', 'ls', '/tmp'), 'done');
  }),
  ...asBoth('exec: no such command is 127 / not executable 126', ({ podman }) => {
    podman.ok('run', '-d', '--name', 'one', '--network', 'none', 'box', 'sleep', '1000');
    equal(podman.call('exec', 'one', 'nothing-of-this-name').code, 127);
    equal(podman.call('exec', 'one', '/etc/passwd').code, 126);
  }),
  ...asRoot('exec --privileged / --preserve-fds', ({ podman, run }) => {
    podman.ok('run', '-d', '--name', 'one', '--cap-drop', 'all', '--network', 'none', 'box', 'sleep', '1000');
    const capabilities = (...args: string[]) =>
      podman.ok('exec', ...args, 'one', 'grep', 'CapEff', '/proc/self/status').split('\t')[1];
    equal(capabilities(), '0000000000000000');
    notEqual(capabilities('--privileged'), '0000000000000000');
    const line = podman.argv('exec', '--preserve-fds', '1', 'one', 'cat', '/proc/self/fd/3');
    match(run('sh', '-c', 'exec "$@" 3</etc/passwd', 'sh', ...line).stdout, /^root:/m);
  }),
  ...asRoot('exec: a command outlives its caller and is killed with the container', ({ podman, until }) => {
    podman.ok('run', '-d', '--name', 'one', '--network', 'none', 'box', 'sleep', '1000');
    podman.ok('exec', '-d', 'one', 'sleep', '2000');
    until('the command', () => podman.ok('exec', 'one', 'ps', '-o', 'args'), /^sleep 2000$/m);
    podman.ok('stop', '--time', '0', 'one');
    equal(podman.ok('inspect', '--format', '{{.State.Status}}', 'one'), 'exited');
  }),
  ...asBoth('top', ({ podman }) => {
    podman.ok('run', '-d', '--name', 'one', '--network', 'none', 'box', 'sleep', '1000');
    match(podman.ok('top', 'one', 'pid', 'args'), /^1\s+sleep 1000 *$/m);
  }),
  ...asBoth('cp / diff / commit / export', ({ podman, folder }) => {
    podman.ok(
      'run',
      '-d',
      '--name',
      'one',
      '--network',
      'none',
      'box',
      'sh',
      '-c',
      'echo new > /file; sleep 1000',
    );
    podman.ok('exec', 'one', 'sh', '-c', 'until test -s /file; do sleep 0.1; done');
    podman.ok('cp', 'one:/file', `${folder}/copied`);
    podman.ok('cp', `${folder}/copied`, 'one:/back');
    equal(podman.ok('exec', 'one', 'cat', '/back'), 'new');
    match(podman.ok('diff', 'one'), /^A \/file$/m);
    podman.ok('commit', '--quiet', 'one', 'committed');
    equal(podman.ok('run', ...QUIET, 'committed', 'cat', '/file'), 'new');
    podman.ok('rm', '--force', '--time', '0', 'one');
    podman.ok('rmi', '--force', 'committed');
  }),
  ...asBoth('rm --force of a running container leaves nothing', ({ podman, runtime, run }) => {
    const id = podman.ok('run', '-d', '--network', 'none', 'box', 'sleep', '1000');
    podman.ok('rm', '--force', '--time', '0', id);
    equal(podman.ok('ps', '-aq'), '');
    const program = runtime === 'runts' ? '/opt/runts/runts' : runtime;
    equal(run(program, 'list', '-q').stdout, '');
  }),
  ...asRoot('run --hooks-dir', ({ podman, folder, run }) => {
    run('mkdir', '-p', `${folder}/hooks`);
    const hook = {
      version: '1.0.0',
      hook: { path: '/bin/sh', args: ['sh', '-c', `cat > ${folder}/state`] },
      when: { always: true },
      stages: ['poststart'],
    };
    run('sh', '-c', `echo '${JSON.stringify(hook).replaceAll("'", `'\\''`)}' > ${folder}/hooks/one.json`);
    podman.with(['--hooks-dir', `${folder}/hooks`]).ok('run', ...QUIET, 'box', 'true');
    const state = JSON.parse(run('cat', `${folder}/state`).stdout) as { status: string; pid: number };
    equal(state.status, 'running');
  }),
  ...asRoot('run --sdnotify container: the socket is in the container', ({ podman, folder }) => {
    const socket = `${folder}/notify`;
    const server = createServer().listen(socket);
    try {
      const args = [
        'run',
        '--sdnotify',
        'container',
        ...QUIET,
        'box',
        'sh',
        '-c',
        'test -S "$NOTIFY_SOCKET" && echo there',
      ];
      equal(podman.with([], { NOTIFY_SOCKET: socket }).ok(...args), 'there');
    } finally {
      server.close();
    }
  }),
];
