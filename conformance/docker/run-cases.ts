/** `docker run`: output, input, terminals, exit codes, errors. */
import assert from 'node:assert/strict';
import { call } from '../engines/engine.ts';
import { BOX, type DockerCase, detach, inspect, inTerminal, plain, sh, tryRun } from './box.ts';
import { RUNTIME } from './daemon.ts';

export const runCases: readonly DockerCase[] = [
  {
    name: 'run: output and exit code',
    vm: 'too',
    run({ daemon }) {
      const script = 'echo out; echo err >&2; exit 42';
      const { code, stdout, stderr } = tryRun(daemon, [], 'sh', '-c', script);
      assert.deepEqual([code, stdout, stderr], [42, 'out\n', 'err\n']);
    },
  },
  {
    name: 'run --runtime by name',
    run({ daemon }) {
      detach(daemon, 'named', ['--runtime', RUNTIME]);
      assert.deepEqual(
        [inspect(daemon, 'named', 'HostConfig.Runtime'), inspect(daemon, 'named', 'State.Running')],
        [RUNTIME, 'true'],
      );
    },
  },
  {
    name: 'run -i: standard input',
    run({ daemon }) {
      const text = `${'x'.repeat(200_000)}\n`;
      assert.equal(daemon.ok(['run', '--rm', '-i', BOX, 'wc', '-c'], text).trim(), '200001');
    },
  },
  {
    name: 'run: much output',
    run({ daemon }) {
      const { stdout } = tryRun(daemon, [], 'seq', '200000');
      assert.equal(stdout.length, 1_288_895);
    },
  },
  {
    name: 'run -t: a terminal of the right size',
    run(box) {
      const script = 'tty; until [ "$(stty size 2>/dev/null)" = "40 100" ]; do sleep 0.05; done; stty size';
      const { code, stdout } = inTerminal(box, box.daemon, ['run', '--rm', '-it', BOX, 'sh', '-c', script]);
      assert.equal(code, 0);
      assert.match(plain(stdout), /\/dev\/pts\/0\n.*40 100$/s);
    },
  },
  {
    name: 'run -it: an interactive shell',
    vm: 'too',
    run(box) {
      const typed = 'echo $((6*7))\nexit 5\n';
      const { code, stdout } = inTerminal(box, box.daemon, ['run', '--rm', '-it', BOX, 'sh'], typed);
      assert.equal(code, 5);
      assert.match(plain(stdout), /^42$/m);
    },
  },
  {
    name: 'run -t without input',
    run({ daemon }) {
      const { code, stdout } = tryRun(daemon, ['-t'], 'tty');
      assert.deepEqual([code, stdout], [0, '/dev/pts/0\r\n']);
    },
  },
  {
    name: 'run --detach and wait',
    run({ daemon }) {
      detach(daemon, 'short', [], 'sh', '-c', 'exit 3');
      assert.equal(daemon.ok(['wait', 'short']).trim(), '3');
      assert.deepEqual(
        [inspect(daemon, 'short', 'State.Status'), inspect(daemon, 'short', 'State.ExitCode')],
        ['exited', '3'],
      );
    },
  },
  {
    name: 'run --env --workdir --hostname --entrypoint',
    run({ daemon }) {
      const options = ['--env', 'A=b c', '--workdir', '/new/folder', '--hostname', 'here'];
      const script = 'echo "$A|$PWD|$(hostname)|$FROM_IMAGE"';
      assert.equal(sh(daemon, options, script), 'b c|/new/folder|here|yes');
      assert.equal(tryRun(daemon, ['--entrypoint', 'echo'], 'one', 'two').stdout, 'one two\n');
    },
  },
  {
    name: 'run: a command that is not there: exit code 127',
    vm: 'too',
    run({ daemon }) {
      const { code, stderr } = tryRun(daemon, [], 'nowhere');
      assert.equal(code, 127);
      assert.match(stderr, /exec: "nowhere": executable file not found in \$PATH/);
    },
  },
  {
    name: 'run: a command that is not executable: exit code 126',
    run({ daemon }) {
      const { code, stderr } = tryRun(daemon, [], '/etc/passwd');
      assert.equal(code, 126);
      assert.match(stderr, /permission denied/);
    },
  },
  {
    name: 'run: a folder as command: exit code 126',
    run({ daemon }) {
      const { code, stderr } = tryRun(daemon, [], '/etc');
      assert.equal(code, 126);
      assert.match(stderr, /\/etc.*permission denied/);
    },
  },
  {
    name: 'run: killed by a signal: exit code 137',
    run({ daemon }) {
      assert.equal(tryRun(daemon, ['--init'], 'sh', '-c', 'kill -9 $$').code, 137);
    },
  },
  {
    name: 'run: the client passes signals on',
    run({ setting, daemon }) {
      const script = 'trap "echo got it; exit 9" TERM; echo ready; while :; do sleep 0.1; done';
      const command = daemon.command(['run', '--rm', '--name', 'proxied', BOX, 'sh', '-c', script]);
      // The shell waits for the word, then sends the signal to the client.
      const wrapper = `exec 3>&1
        { "$@" & echo pid $!; wait $!; echo code $?; } | {
          while read -r word rest; do
            case $word in pid) client=$rest;; ready) kill -TERM $client;; code) echo "code $rest";; *) echo "$word $rest";; esac
          done; }`;
      const { stdout } = call(setting.place, ['sh', '-c', wrapper, 'sh', ...command]);
      assert.equal(stdout, 'got it\ncode 9\n');
    },
  },
  {
    name: 'run: ten at once',
    vm: 'too',
    run({ setting, daemon }) {
      const script = 'for i in 0 1 2 3 4 5 6 7 8 9; do "$@" $i & done; wait';
      const command = daemon.command(['run', '--rm', '--network', 'none', BOX, 'echo']);
      const { stdout } = call(setting.place, ['sh', '-c', script, 'sh', ...command]);
      assert.equal(stdout.split('\n').sort().join(''), '0123456789');
    },
  },
];
