/** `docker exec`, and attaching. */
import assert from 'node:assert/strict';
import { waitFor } from '../engines/engine.ts';
import { BOX, type DockerCase, detach, detachReady, execIn, inspect, inTerminal, plain } from './box.ts';

export const execCases: readonly DockerCase[] = [
  {
    name: 'exec: output and exit code',
    vm: 'too',
    run({ daemon }) {
      detach(daemon, 'target');
      const { code, stdout, stderr } = daemon.attempt([
        'exec',
        'target',
        'sh',
        '-c',
        'echo out; echo err >&2; exit 42',
      ]);
      assert.deepEqual([code, stdout, stderr], [42, 'out\n', 'err\n']);
    },
  },
  {
    name: 'exec -i: standard input',
    run({ daemon }) {
      detach(daemon, 'target');
      const { stdout } = daemon.attempt(['exec', '-i', 'target', 'wc', '-c'], 'y'.repeat(100_000));
      assert.equal(stdout.trim(), '100000');
    },
  },
  {
    name: 'exec -it: a terminal',
    vm: 'too',
    run(box) {
      detach(box.daemon, 'target');
      const script =
        'tty; until [ "$(stty size 2>/dev/null)" = "40 100" ]; do sleep 0.05; done; stty size; exit 6';
      const { code, stdout } = inTerminal(box, box.daemon, ['exec', '-it', 'target', 'sh', '-c', script]);
      assert.equal(code, 6);
      assert.match(plain(stdout), /\/dev\/pts\/0\n.*40 100$/s);
    },
  },
  {
    name: 'exec --user --workdir --env',
    run({ daemon }) {
      detach(daemon, 'target');
      const options = ['--user', 'user', '--workdir', '/tmp', '--env', 'A=b'];
      assert.equal(
        execIn(daemon, 'target', 'echo "$(id -u)|$PWD|$A|$FROM_IMAGE"', options),
        '1000|/tmp|b|yes',
      );
    },
  },
  {
    name: 'exec: in all namespaces and the cgroup of the container',
    vm: 'too',
    run({ daemon }) {
      detach(daemon, 'target', ['--hostname', 'there']);
      const script = `for name in cgroup ipc mnt net pid uts; do
        [ "$(readlink /proc/self/ns/$name)" = "$(readlink /proc/1/ns/$name)" ] || echo $name
      done; hostname; sed -n s/^0:://p /proc/self/cgroup`;
      assert.equal(execIn(daemon, 'target', script).replace('\n', ' '), 'there /');
    },
  },
  {
    name: 'exec: the rights of the container',
    run({ daemon }) {
      detach(daemon, 'target', ['--cap-drop', 'ALL', '--security-opt', 'no-new-privileges']);
      const script = 'sed -n "s/^\\(CapEff\\|NoNewPrivs\\|Seccomp\\):\\t//p" /proc/self/status';
      assert.equal(execIn(daemon, 'target', script).replaceAll('\n', ' '), `${'0'.repeat(16)} 1 2`);
    },
  },
  {
    name: 'exec --detach',
    run({ daemon }) {
      detach(daemon, 'target');
      daemon.ok(['exec', '--detach', 'target', 'touch', '/tmp/was-here']);
      waitFor('the file', () => daemon.attempt(['exec', 'target', 'ls', '/tmp/was-here']).code === 0);
    },
  },
  {
    name: 'exec: a command that is not there',
    run({ daemon }) {
      detach(daemon, 'target');
      const { code, stdout, stderr } = daemon.attempt(['exec', 'target', 'nowhere']);
      assert.equal(code, 126);
      assert.match(stdout + stderr, /exec: "nowhere": executable file not found in \$PATH/);
    },
  },
  {
    name: 'exec: a command that is not executable',
    run({ daemon }) {
      detach(daemon, 'target');
      const { code, stdout, stderr } = daemon.attempt(['exec', 'target', '/etc/passwd']);
      assert.equal(code, 126);
      assert.match(stdout + stderr, /permission denied/);
    },
  },
  {
    name: 'exec: one after another and at once',
    run({ daemon }) {
      detach(daemon, 'target');
      for (let i = 0; i < 10; i++) assert.equal(execIn(daemon, 'target', `echo ${i}`), String(i));
      for (let i = 0; i < 10; i++)
        daemon.ok(['exec', '--detach', 'target', 'sh', '-c', `echo ${i} >>/tmp/all`]);
      waitFor('all ten', () => execIn(daemon, 'target', 'wc -l </tmp/all 2>/dev/null || true') === '10');
    },
  },
  {
    name: 'exec: ends when the container does',
    run({ daemon }) {
      detachReady(daemon, 'brief', [], 'echo ready; while [ ! -e /tmp/end ]; do sleep 0.05; done');
      const { code } = daemon.attempt(['exec', 'brief', 'sh', '-c', 'touch /tmp/end; exec sleep 3600']);
      assert.equal(code, 137);
      waitFor('the end', () => inspect(daemon, 'brief', 'State.Running') === 'false');
    },
  },
  {
    name: 'attach: output and input',
    run(box) {
      const { daemon } = box;
      detach(daemon, 'attached', ['-it'], 'sh', '-c', 'read line; echo "got $line"; exit 4');
      const { code, stdout } = inTerminal(box, daemon, ['attach', 'attached'], 'this\n');
      assert.equal(code, 4);
      assert.match(stdout, /^got this\r$/m);
    },
  },
  {
    name: 'run -it and detach with the keys',
    run(box) {
      const { daemon } = box;
      // The usual ones would be eaten by a terminal that the client has not yet set up.
      const options = ['-it', '--name', 'left', '--detach-keys', 'ctrl-a,x'];
      const { code } = inTerminal(box, daemon, ['run', ...options, BOX, 'sleep', '3600'], '\x01x');
      assert.deepEqual([code, inspect(daemon, 'left', 'State.Running')], [0, 'true']);
    },
  },
];
