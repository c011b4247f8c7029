/** From start to stop: signals, pausing, restarts, health, logs, statistics. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '../engines/engine.ts';
import { BOX, type Box, cgroupOf, type DockerCase, detach, detachReady, execIn, inspect } from './box.ts';

const loop = 'while :; do sleep 0.05; done';

const killInit = ({ daemon }: Box, name: string) =>
  process.kill(Number(inspect(daemon, name, 'State.Pid')), 'SIGKILL');

export const lifeCases: readonly DockerCase[] = [
  {
    name: 'create and start --attach',
    run({ daemon }) {
      daemon.ok(['create', '--name', 'made', BOX, 'sh', '-c', 'echo started; exit 8']);
      assert.equal(inspect(daemon, 'made', 'State.Status'), 'created');
      const { code, stdout } = daemon.attempt(['start', '--attach', 'made']);
      assert.deepEqual([code, stdout], [8, 'started\n']);
    },
  },
  {
    name: 'start again and restart',
    run({ daemon }) {
      detach(daemon, 'again', [], 'sh', '-c', 'echo line >>/tmp/lines; exec sleep 3600');
      daemon.ok(['stop', '--time', '0', 'again']);
      daemon.ok(['start', 'again']);
      daemon.ok(['restart', '--time', '0', 'again']);
      waitFor('three lines', () => execIn(daemon, 'again', 'wc -l </tmp/lines') === '3');
    },
  },
  {
    name: 'stop: SIGTERM in time',
    vm: 'too',
    run({ daemon }) {
      detachReady(daemon, 'polite', [], `trap "echo bye; exit 7" TERM; echo ready; ${loop}`);
      daemon.ok(['stop', '--time', '60', 'polite']);
      assert.equal(inspect(daemon, 'polite', 'State.ExitCode'), '7');
      assert.match(daemon.ok(['logs', 'polite']), /bye/);
    },
  },
  {
    name: 'stop: SIGKILL after the time',
    vm: 'too',
    run({ daemon }) {
      detachReady(daemon, 'deaf', [], `trap "" TERM; echo ready; ${loop}`);
      daemon.ok(['stop', '--time', '1', 'deaf']);
      assert.equal(inspect(daemon, 'deaf', 'State.ExitCode'), '137');
    },
  },
  {
    name: 'stop: --stop-signal',
    run({ daemon }) {
      detachReady(daemon, 'usr', ['--stop-signal', 'USR1'], `trap "exit 11" USR1; echo ready; ${loop}`);
      daemon.ok(['stop', '--time', '60', 'usr']);
      assert.equal(inspect(daemon, 'usr', 'State.ExitCode'), '11');
    },
  },
  {
    name: 'kill and kill --signal',
    run({ daemon }) {
      detachReady(daemon, 'hup', [], `trap "echo hup" HUP; echo ready; ${loop}`);
      daemon.ok(['kill', '--signal', 'HUP', 'hup']);
      waitFor('the signal', () => daemon.ok(['logs', 'hup']).includes('hup'));
      daemon.ok(['kill', 'hup']);
      assert.equal(daemon.ok(['wait', 'hup']).trim(), '137');
    },
  },
  {
    name: 'pause and unpause',
    vm: 'too',
    run({ daemon }) {
      detach(daemon, 'frozen');
      const events = join(cgroupOf(daemon, 'frozen'), 'cgroup.events');
      const isFrozen = () => /^frozen 1$/m.test(readFileSync(events, 'utf8'));
      daemon.ok(['pause', 'frozen']);
      assert.deepEqual([inspect(daemon, 'frozen', 'State.Status'), isFrozen()], ['paused', true]);
      daemon.ok(['unpause', 'frozen']);
      assert.deepEqual([inspect(daemon, 'frozen', 'State.Status'), isFrozen()], ['running', false]);
      assert.equal(execIn(daemon, 'frozen', 'echo back'), 'back');
    },
  },
  {
    name: 'rm --force of a running and of a paused one',
    vm: 'too',
    run({ daemon }) {
      detach(daemon, 'one');
      detach(daemon, 'two');
      const cgroups = ['one', 'two'].map((name) => cgroupOf(daemon, name));
      daemon.ok(['pause', 'two']);
      daemon.ok(['rm', '--force', 'one', 'two']);
      waitFor('the cgroups’ end', () => !cgroups.some(existsSync));
    },
  },
  {
    name: 'run --restart on-failure:2',
    vm: 'too',
    run({ daemon }) {
      detach(daemon, 'failing', ['--restart', 'on-failure:2'], 'sh', '-c', 'echo try; exit 1');
      waitFor('the last try', () => inspect(daemon, 'failing', 'State.Status') === 'exited');
      assert.equal(inspect(daemon, 'failing', 'RestartCount'), '2');
      assert.equal(daemon.ok(['logs', 'failing']), 'try\ntry\ntry\n');
    },
  },
  {
    name: 'run --restart always: comes back when it was killed',
    run(box) {
      const { daemon } = box;
      detach(daemon, 'tough', ['--restart', 'always']);
      killInit(box, 'tough');
      waitFor('the restart', () => inspect(daemon, 'tough', 'RestartCount') === '1');
      waitFor('running', () => inspect(daemon, 'tough', 'State.Running') === 'true');
      assert.equal(execIn(daemon, 'tough', 'echo here'), 'here');
    },
  },
  {
    name: 'update --restart',
    run(box) {
      const { daemon } = box;
      detach(daemon, 'changed');
      daemon.ok(['update', '--restart', 'on-failure:5', 'changed']);
      killInit(box, 'changed');
      waitFor('the restart', () => inspect(daemon, 'changed', 'RestartCount') === '1');
    },
  },
  {
    name: 'run --health-cmd: healthy and then not',
    vm: 'too',
    run({ daemon }) {
      const check = [
        '--health-cmd',
        'test ! -e /tmp/ill',
        '--health-interval',
        '200ms',
        '--health-retries',
        '2',
      ];
      detach(daemon, 'checked', check);
      const becomes = (status: string) =>
        waitFor(status, () => inspect(daemon, 'checked', 'State.Health.Status') === status);
      becomes('healthy');
      execIn(daemon, 'checked', 'touch /tmp/ill');
      becomes('unhealthy');
    },
  },
  {
    name: 'run --health-cmd: its output and its time limit',
    run({ daemon }) {
      const check = [
        '--health-cmd',
        'echo looked; sleep 3600',
        '--health-interval',
        '100ms',
        '--health-timeout',
        '300ms',
      ];
      detach(daemon, 'slow', [...check, '--health-retries', '1']);
      waitFor('unhealthy', () => inspect(daemon, 'slow', 'State.Health.Status') === 'unhealthy');
      assert.equal(execIn(daemon, 'slow', 'echo alive'), 'alive');
    },
  },
  {
    name: 'logs: both streams --tail --follow',
    run({ daemon }) {
      detach(daemon, 'talking', [], 'sh', '-c', 'seq 5; echo error >&2; sleep 0.3; echo last');
      const { stdout, stderr } = daemon.attempt(['logs', '--follow', 'talking']);
      assert.deepEqual([stdout, stderr], ['1\n2\n3\n4\n5\nlast\n', 'error\n']);
      assert.equal(daemon.ok(['logs', '--tail', '1', 'talking']), 'last\n');
    },
  },
  {
    name: 'logs of a terminal',
    run({ daemon }) {
      detach(daemon, 'tty', ['-t'], 'sh', '-c', 'echo one; echo two');
      daemon.ok(['wait', 'tty']);
      waitFor('the output', () => daemon.ok(['logs', 'tty']) === 'one\r\ntwo\r\n');
    },
  },
  {
    name: 'top',
    run({ daemon }) {
      detach(daemon, 'busy', [], 'sh', '-c', 'sleep 1111 & sleep 2222 & wait');
      waitFor('both', () => {
        const lines = daemon.ok(['top', 'busy', '-o', 'pid,args']);
        return lines.includes('sleep 1111') && lines.includes('sleep 2222');
      });
    },
  },
  {
    name: 'stats',
    run({ daemon }) {
      detach(daemon, 'measured');
      const format = '{{.Name}} {{.CPUPerc}} {{.NetIO}}';
      const line = daemon.ok(['stats', '--no-stream', '--format', format, 'measured']);
      assert.match(line, /^measured \d+\.\d+% [\d.]+k?B \/ [\d.]+k?B/);
    },
  },
  {
    name: 'events',
    run({ daemon }) {
      detach(daemon, 'noted', [], 'true');
      daemon.ok(['wait', 'noted']);
      daemon.ok(['rm', 'noted']);
      const since = ['--filter', 'container=noted', '--since', '0', '--until', '0s'];
      // "Now" is rounded down to seconds.
      waitFor(
        'all events',
        () => daemon.ok(['events', ...since, '--format', '{{.Action}}']) === 'create\nstart\ndie\ndestroy\n',
      );
    },
  },
  {
    name: 'run --rm leaves nothing',
    run({ daemon }) {
      daemon.ok(['run', '--rm', '--name', 'gone', BOX, 'true']);
      assert.equal(daemon.ok(['ps', '--all', '--quiet', '--filter', 'name=gone']), '');
    },
  },
];
