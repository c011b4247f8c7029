/** What daemon.json sets: user namespaces, live restore, arguments of the runtime; and restarts of the daemon. */
import assert from 'node:assert/strict';
import { appendFileSync, chownSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '../engines/engine.ts';
import { type Box, type DockerCase, detach, execIn, inspect, otherDaemon, sh, tryRun } from './box.ts';
import { RUNTIME, startDaemon } from './daemon.ts';

const FIRST = 300_000;

/** A daemon whose containers have a user namespace. */
export function remapped(box: Box) {
  if (!box.daemons.has('remap')) {
    appendFileSync('/etc/subuid', `nobody:${FIRST}:65536\n`);
    appendFileSync('/etc/subgid', `nobody:${FIRST}:65536\nnogroup:${FIRST}:65536\n`);
  }
  return otherDaemon(box, 'remap', { 'userns-remap': 'nobody:nogroup' });
}

/** An ordinary user of the world, who isn't there yet. */
const USER = { name: 'docker-user', id: 4242 } as const;

/** A daemon of an ordinary user, in a user namespace that rootlesskit makes; without networks. */
function rootless(box: Box) {
  const known = box.daemons.get('rootless');
  if (known !== undefined) return known;
  const { setting, daemons } = box;
  const { name, id } = USER;
  appendFileSync('/etc/passwd', `${name}:x:${id}:${id}::/:/bin/sh\n`);
  appendFileSync('/etc/group', `${name}:x:${id}:\n`);
  for (const file of ['/etc/subuid', '/etc/subgid']) appendFileSync(file, `${name}:500000:65536\n`);
  const base = `/run/user/${id}`;
  const data = '/var/lib/docker/rootless';
  for (const folder of [base, data]) {
    mkdirSync(folder, { recursive: true });
    chownSync(folder, id, id);
  }
  const config = {
    bridge: 'none',
    iptables: false,
    'storage-driver': 'vfs',
    'cgroup-parent': undefined,
  };
  // What of root's is in the way, AppArmor's profiles too, which the daemon finds and may not read. A network of its own,
  // in which the daemon may forward packets.
  const inside =
    'rm -f /run/docker /run/containerd /run/xtables.lock; ' +
    '[ ! -d /sys/kernel/security/apparmor ] || mount -t tmpfs none /sys/kernel/security; ' +
    'exec unshare --net "$@" --rootless';
  const daemon = startDaemon(setting, 'rootless', config, {
    base,
    launch: (argv) => [
      ...['setpriv', '--reuid', String(id), '--regid', String(id), '--clear-groups'],
      ...['env', `HOME=${base}`, `XDG_RUNTIME_DIR=${base}`, `TMPDIR=${base}`],
      ...['rootlesskit', '--net=host', '--copy-up=/etc', '--copy-up=/run', 'sh', '-c', inside, 'sh', ...argv],
    ],
  });
  daemons.set('rootless', daemon);
  return daemon;
}

export const daemonCases: readonly DockerCase[] = [
  {
    name: 'userns-remap: root of the container is another user',
    vm: 'too',
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
    vm: 'too',
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
    vm: 'too',
    run(box) {
      const daemon = remapped(box);
      const script = 'touch /data/x && stat -c %u:%g /data/x';
      assert.equal(sh(daemon, ['--volume', '/data', '--tmpfs', '/tmp'], script), '0:0');
      assert.match(sh(daemon, ['--userns', 'host'], 'cat /proc/self/uid_map'), /0 +0 +4294967295/);
    },
  },
  {
    name: 'rootless: run and exec',
    vm: 'too',
    run(box) {
      const daemon = rootless(box);
      const script = 'id -u; while read -r a b c; do echo $a $b $c; done </proc/self/uid_map';
      assert.deepEqual(sh(daemon, [], script).split('\n'), ['0', `0 ${USER.id} 1`, '1 500000 65536']);
      detach(daemon, 'own');
      assert.equal(execIn(daemon, 'own', 'id -u'), '0');
      assert.equal(daemon.ok(['exec', '-t', 'own', 'tty']), '/dev/pts/0\r\n');
      daemon.ok(['stop', '--time', '0', 'own']);
      assert.equal(inspect(daemon, 'own', 'State.ExitCode'), '137');
    },
  },
  {
    name: 'rootless: --user volumes --read-only --cap-drop',
    run(box) {
      const daemon = rootless(box);
      const options = ['--user', 'user', '--volume', '/data', '--read-only', '--cap-drop', 'ALL', '--init'];
      const script =
        'id -u; touch /x 2>/dev/null || echo read-only; grep -c " /data " /proc/mounts; cat /proc/1/comm';
      assert.deepEqual(sh(daemon, options, script).split('\n'), ['1000', 'read-only', '1', 'docker-init']);
    },
  },
  {
    name: 'rootless: errors and exit codes',
    run(box) {
      const daemon = rootless(box);
      const missing = tryRun(daemon, [], 'nowhere');
      assert.equal(missing.code, 127);
      assert.match(missing.stderr, /executable file not found/);
      assert.equal(tryRun(daemon, [], 'sh', '-c', 'exit 21').code, 21);
    },
  },
  {
    name: 'live-restore: containers outlive the daemon',
    vm: 'too',
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
    vm: 'too',
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
    vm: 'too',
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
