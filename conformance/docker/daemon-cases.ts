/** What daemon.json sets: user namespaces, live restore, arguments of the runtime; and restarts of the daemon. */
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '../engines/engine.ts';
import { type Box, type DockerCase, detach, execIn, inspect, otherDaemon, sh, tryRun } from './box.ts';
import { RUNTIME } from './daemon.ts';

const FIRST = 300_000;

/** A daemon whose containers have a user namespace. */
function remapped(box: Box) {
  if (!box.daemons.has('remap')) {
    appendFileSync('/etc/subuid', `nobody:${FIRST}:65536\n`);
    appendFileSync('/etc/subgid', `nobody:${FIRST}:65536\nnogroup:${FIRST}:65536\n`);
  }
  return otherDaemon(box, 'remap', { 'userns-remap': 'nobody:nogroup' });
}

export const daemonCases: readonly DockerCase[] = [
  {
    name: 'userns-remap: root of the container is another user',
    run(box) {
      const daemon = remapped(box);
      const script =
        'id -u; while read -r a b c; do echo $a $b $c; done </proc/self/uid_map; touch /x && stat -c %u /x';
      assert.deepEqual(sh(daemon, [], script).split('\n'), ['0', `0 ${FIRST} 65536`, '0']);
      detach(daemon, 'mapped');
      const pid = inspect(daemon, 'mapped', 'State.Pid');
      assert.equal(statSync(`/proc/${pid}/root/etc`).uid, FIRST);
    },
  },
  {
    name: 'userns-remap: exec terminal --user',
    run(box) {
      const daemon = remapped(box);
      detach(daemon, 'mapped', ['-t']);
      assert.equal(
        execIn(daemon, 'mapped', 'id -u; head -c 21 /proc/self/uid_map | tr -d " "'),
        `0\n0${FIRST}`,
      );
      assert.equal(execIn(daemon, 'mapped', 'id -u', ['--user', 'user']), '1000');
      assert.equal(daemon.ok(['exec', '-t', 'mapped', 'tty']), '/dev/pts/1\r\n');
      assert.equal(
        tryRun(daemon, ['-t', '--user', '5'], 'sh', '-c', 'tty; id -u').stdout,
        '/dev/pts/0\r\n5\r\n',
      );
    },
  },
  {
    name: 'userns-remap: volumes and --userns host',
    run(box) {
      const daemon = remapped(box);
      const script = 'touch /data/x && stat -c %u:%g /data/x';
      assert.equal(sh(daemon, ['--volume', '/data', '--tmpfs', '/tmp'], script), '0:0');
      assert.match(sh(daemon, ['--userns', 'host'], 'cat /proc/self/uid_map'), /0 +0 +4294967295/);
    },
  },
  {
    name: 'live-restore: containers outlive the daemon',
    run(box) {
      const daemon = otherDaemon(box, 'live', { 'live-restore': true });
      detach(daemon, 'stays');
      const pid = inspect(daemon, 'stays', 'State.Pid');
      daemon.end('SIGKILL');
      daemon.start();
      assert.equal(inspect(daemon, 'stays', 'State.Pid'), pid);
      assert.equal(execIn(daemon, 'stays', 'echo here'), 'here');
      daemon.ok(['stop', '--time', '0', 'stays']);
      assert.equal(inspect(daemon, 'stays', 'State.ExitCode'), '137');
    },
  },
  {
    name: 'the daemon stops and starts: --restart always',
    run(box) {
      const daemon = otherDaemon(box, 'restarted', {});
      detach(daemon, 'comes-back', ['--restart', 'always', '--stop-timeout', '1']);
      detach(daemon, 'does-not', ['--stop-timeout', '1']);
      daemon.end('SIGTERM');
      daemon.start();
      waitFor('running', () => inspect(daemon, 'comes-back', 'State.Running') === 'true');
      assert.equal(execIn(daemon, 'comes-back', 'echo here'), 'here');
      assert.equal(inspect(daemon, 'does-not', 'State.Running'), 'false');
    },
  },
  {
    name: 'runtimeArgs',
    run(box) {
      const { runtime, folder } = box.setting;
      const log = join(folder, 'runtime.log');
      const runtimeArgs = ['--debug', '--log', log];
      const runtimes = { [RUNTIME]: { path: runtime.path, runtimeArgs } };
      const daemon = otherDaemon(box, 'arguments', { runtimes });
      assert.equal(sh(daemon, [], 'echo works'), 'works');
    },
  },
  {
    name: 'no container leaves a state folder or a cgroup',
    run({ daemon, setting }) {
      sh(daemon, [], 'true');
      // Names of containers: runts keeps compiled seccomp filters in .cache, BuildKit has a cgroup of its own.
      const left = (folder: string) =>
        (existsSync(folder) ? readdirSync(folder) : []).filter((name) => /^[0-9a-f]{64}$/.test(name));
      waitFor('no state', () => left(join(daemon.execRoot, 'runtime-runc/moby')).length === 0);
      waitFor('no cgroup', () => left(join('/sys/fs/cgroup', setting.token)).length === 0);
    },
  },
];
