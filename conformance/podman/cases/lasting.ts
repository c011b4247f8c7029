/**
 * Health, checkpoints.
 *
 * @module
 */
import { equal, match, notEqual } from 'node:assert/strict';
import { type Case, Skip } from '../../engines/engine.ts';
import type { Account, Box } from '../podman.ts';
import { asBoth, asRoot } from './case.ts';

const DETACHED = ['run', '-d', '--name', 'one', '--network', 'none'];

/** Podman looks in the same way. */
function needsCheckpoint({ run, runtime }: Account): void {
  const program = runtime === 'runts' ? '/opt/runts/runts' : runtime;
  if (run(program, 'checkpoint', '--help').code !== 0) throw new Skip(`${runtime} has no checkpoint.`);
  if (run('criu', '--version').code !== 0) throw new Skip('criu is not installed.');
}

/** Counts in a file, so that one sees whether it goes on. */
const COUNTS = ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo $i > /count; sleep 0.1; done'];

export const lasting: readonly Case<Box>[] = [
  ...asBoth('healthcheck', ({ podman }) => {
    const options = [
      '--health-cmd',
      'test -e /tmp/well',
      '--health-interval',
      'disable',
      '--health-retries',
      '1',
    ];
    podman.ok(...DETACHED, ...options, 'box', 'sleep', '1000');
    notEqual(podman.call('healthcheck', 'run', 'one').code, 0);
    const health = () => podman.ok('inspect', '--format', '{{.State.Health.Status}}', 'one');
    equal(health(), 'unhealthy');
    podman.ok('exec', 'one', 'touch', '/tmp/well');
    podman.ok('healthcheck', 'run', 'one');
    equal(health(), 'healthy');
  }),
  ...asBoth(
    'healthcheck by systemd’s timer',
    ({ podman, rootless, run, until }) => {
      // The timer's podman is systemd's child, and finds the runtime and the container by this alone.
      const systemctl = rootless ? 'systemctl --user' : 'systemctl';
      const names = `CONTAINERS_CONF PATH \${STORAGE_DRIVER+STORAGE_DRIVER}`;
      const told = run('sh', '-c', `${systemctl} import-environment ${names}`);
      equal(told.code, 0, told.stderr);
      const options = [
        '--health-cmd',
        'test -e /tmp/well',
        '--health-interval',
        '1s',
        '--health-retries',
        '1',
      ];
      podman.ok(...DETACHED, ...options, 'box', 'sh', '-c', 'touch /tmp/well; sleep 1000');
      until('health', () => podman.ok('inspect', '--format', '{{.State.Health.Status}}', 'one'), 'healthy');
    },
    { vm: true },
  ),
  ...asRoot(
    'container checkpoint / restore',
    (account) => {
      needsCheckpoint(account);
      const { podman, until } = account;
      podman.ok(...DETACHED, 'box', ...COUNTS);
      until('the tenth', () => podman.call('exec', 'one', 'cat', '/count').stdout, /^\d\d/);
      podman.ok('container', 'checkpoint', 'one');
      equal(
        podman.ok('inspect', '--format', '{{.State.Status}} {{.State.Checkpointed}}', 'one'),
        'exited true',
      );
      podman.ok('container', 'restore', 'one');
      const count = () => podman.call('exec', 'one', 'cat', '/count').stdout.trim();
      const first = Number(count());
      until('a later number', () => String(Number(count()) > first), 'true');
      match(String(first), /^\d\d/);
    },
    { vm: true },
  ),
  ...asRoot(
    'container checkpoint --leave-running --export / restore --import',
    (account) => {
      needsCheckpoint(account);
      const { podman, folder, until } = account;
      podman.ok(...DETACHED, 'box', ...COUNTS);
      until('the tenth', () => podman.call('exec', 'one', 'cat', '/count').stdout, /^\d\d/);
      podman.ok('container', 'checkpoint', '--leave-running', '--export', `${folder}/one.tar.gz`, 'one');
      equal(podman.ok('inspect', '--format', '{{.State.Status}}', 'one'), 'running');
      podman.ok('container', 'restore', '--import', `${folder}/one.tar.gz`, '--name', 'two');
      until('its numbers', () => podman.call('exec', 'two', 'cat', '/count').stdout, /^\d\d/);
    },
    { vm: true },
  ),
];
