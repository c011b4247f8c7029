/** Who the container's process is and what it may do. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DockerCase, detach, sh, tryRun } from './box.ts';

/** Capabilities of Docker's default list: chown, dac_override, fowner, fsetid, kill, setgid, ... */
const DEFAULT_CAPABILITIES = '00000000a80425fb';

const effective = 'sed -n "s/^CapEff:\\t//p" /proc/self/status';
const statusOf = (field: string) => `sed -n "s/^${field}:\\t//p" /proc/self/status`;

/** A device that Docker gives nobody by itself. Opening it for writing needs no capability. */
const DEVICE = { path: '/dev/kmsg', number: '1 11' } as const;

export const processCases: readonly DockerCase[] = [
  {
    name: 'run --user by number',
    run({ daemon }) {
      assert.equal(sh(daemon, ['--user', '1234:56'], 'id -u; id -g').replace('\n', ':'), '1234:56');
    },
  },
  {
    name: 'run --user by name and --group-add',
    run({ daemon }) {
      const options = ['--user', 'user', '--group-add', 'extra', '--group-add', '77'];
      assert.equal(
        sh(daemon, options, 'id -u; id -g; id -G').replaceAll('\n', ' '),
        '1000 1000 1000 77 2000',
      );
    },
  },
  {
    name: 'capabilities: the default ones',
    vm: 'too',
    run({ daemon }) {
      assert.equal(sh(daemon, [], effective), DEFAULT_CAPABILITIES);
    },
  },
  {
    name: 'run --cap-drop ALL',
    run({ daemon }) {
      assert.equal(sh(daemon, ['--cap-drop', 'ALL'], effective), '0'.repeat(16));
      assert.notEqual(tryRun(daemon, ['--cap-drop', 'ALL'], 'chown', '1', '/tmp').code, 0);
    },
  },
  {
    name: 'run --cap-drop ALL --cap-add CHOWN',
    run({ daemon }) {
      assert.equal(sh(daemon, ['--cap-drop', 'ALL', '--cap-add', 'CHOWN'], effective), `${'0'.repeat(15)}1`);
    },
  },
  {
    name: 'run --cap-add NET_ADMIN',
    run({ daemon }) {
      assert.equal(sh(daemon, ['--cap-add', 'NET_ADMIN'], 'ip link set lo down; echo $?'), '0');
      assert.equal(sh(daemon, [], 'ip link set lo down 2>/dev/null; echo $?') === '0', false);
    },
  },
  {
    name: 'run --user without capabilities',
    run({ daemon }) {
      assert.equal(sh(daemon, ['--user', '1000'], effective), '0'.repeat(16));
    },
  },
  {
    name: 'run --security-opt no-new-privileges',
    run({ daemon }) {
      assert.equal(sh(daemon, ['--security-opt', 'no-new-privileges'], statusOf('NoNewPrivs')), '1');
      assert.equal(sh(daemon, [], statusOf('NoNewPrivs')), '0');
    },
  },
  {
    name: 'seccomp: the default profile',
    vm: 'too',
    run({ daemon }) {
      assert.equal(sh(daemon, [], statusOf('Seccomp')), '2');
      // Allowed by the capability, refused by the profile.
      const unshare = tryRun(daemon, [], 'unshare', '--user', 'true');
      assert.notEqual(unshare.code, 0);
      assert.match(unshare.stderr, /not permitted/);
    },
  },
  {
    name: 'run --security-opt seccomp=unconfined',
    run({ daemon }) {
      const options = ['--security-opt', 'seccomp=unconfined'];
      assert.equal(sh(daemon, options, statusOf('Seccomp')), '0');
      assert.equal(tryRun(daemon, options, 'unshare', '--user', 'true').code, 0);
    },
  },
  {
    name: 'run --security-opt seccomp=FILE',
    run({ setting, daemon }) {
      const file = join(setting.folder, 'profile.json');
      const refuse = (names: string[], errnoRet: number) => ({ names, action: 'SCMP_ACT_ERRNO', errnoRet });
      writeFileSync(
        file,
        JSON.stringify({
          defaultAction: 'SCMP_ACT_ALLOW',
          syscalls: [refuse(['mkdir', 'mkdirat'], 30), refuse(['umask'], 1)],
        }),
      );
      const { code, stderr } = tryRun(daemon, ['--security-opt', `seccomp=${file}`], 'mkdir', '/tmp/x');
      assert.notEqual(code, 0);
      assert.match(stderr, /Read-only file system/);
    },
  },
  {
    name: 'run --init: reaps and passes signals on',
    vm: 'too',
    run({ daemon }) {
      const reaped = sh(
        daemon,
        ['--init'],
        'cat /proc/1/comm; (sleep 0 & exec true) ; sleep 0.3; ps | grep -c "[Zz]ombie\\|\\[sleep\\]"; true',
      );
      assert.deepEqual(reaped.split('\n'), ['docker-init', '0']);
      detach(daemon, 'init', ['--init']);
      daemon.ok(['stop', '--time', '60', 'init']);
      assert.equal(daemon.ok(['wait', 'init']).trim(), '143');
    },
  },
  {
    name: 'run --ulimit',
    vm: 'too',
    run({ daemon }) {
      assert.equal(
        sh(daemon, ['--ulimit', 'nofile=123:456'], 'ulimit -n; ulimit -Hn').replace('\n', ' '),
        '123 456',
      );
    },
  },
  {
    name: 'run --oom-score-adj',
    run({ daemon }) {
      assert.equal(sh(daemon, ['--oom-score-adj', '321'], 'cat /proc/self/oom_score_adj'), '321');
    },
  },
  {
    name: 'run --sysctl',
    run({ daemon }) {
      const options = ['--sysctl', 'net.ipv4.ip_default_ttl=33', '--sysctl', 'kernel.msgmax=4321'];
      const script = 'cat /proc/sys/net/ipv4/ip_default_ttl /proc/sys/kernel/msgmax';
      assert.equal(sh(daemon, options, script).replace('\n', ' '), '33 4321');
    },
  },
  {
    name: 'run --device',
    run({ daemon }) {
      const script = 'stat -c "%F %t %T" /dev/given';
      assert.equal(
        sh(daemon, ['--device', `${DEVICE.path}:/dev/given`], script),
        'character special file 1 b',
      );
    },
  },
  {
    name: 'devices: a node of another is of no use',
    vm: 'too',
    run({ daemon }) {
      const { code, stderr } = tryRun(daemon, [], 'sh', '-c', `mknod /tmp/d c ${DEVICE.number} && : >/tmp/d`);
      assert.notEqual(code, 0);
      assert.match(stderr, /\/tmp\/d: Operation not permitted/);
    },
  },
  {
    name: 'run --pid host and --pid container:NAME',
    run({ daemon }) {
      const ofThis = String(process.pid);
      assert.equal(
        sh(daemon, ['--pid', 'host'], `[ -d /proc/${ofThis} ] && cat /proc/${ofThis}/comm`).length > 0,
        true,
      );
      detach(daemon, 'first', [], 'sleep', '4321');
      assert.match(sh(daemon, ['--pid', 'container:first'], 'ps'), /sleep 4321/);
    },
  },
  {
    name: 'run --ipc container:NAME --ipc host --shm-size',
    run({ daemon }) {
      detach(daemon, 'sharing', ['--ipc', 'shareable', '--shm-size', '12m']);
      const link = 'readlink /proc/self/ns/ipc';
      const theirs = daemon.ok(['exec', 'sharing', ...link.split(' ')]).trim();
      assert.equal(sh(daemon, ['--ipc', 'container:sharing'], link), theirs);
      assert.match(sh(daemon, ['--ipc', 'container:sharing'], 'df -m /dev/shm'), / 12 /);
      assert.notEqual(sh(daemon, ['--ipc', 'host'], link), theirs);
    },
  },
  {
    name: 'run --uts host',
    run({ daemon }) {
      assert.equal(
        sh(
          daemon,
          ['--uts', 'host'],
          'readlink /proc/self/ns/uts; readlink /proc/1/ns/uts >/dev/null; true',
        ).startsWith('uts:['),
        true,
      );
    },
  },
  {
    name: 'run --cgroupns host and private',
    vm: 'too',
    run({ daemon }) {
      const own = 'sed -n s/^0:://p /proc/self/cgroup';
      assert.equal(sh(daemon, ['--cgroupns', 'private'], own), '/');
      assert.match(sh(daemon, ['--cgroupns', 'host'], own), /[0-9a-f]{64}$/);
    },
  },
  {
    name: 'masked and read-only paths',
    vm: 'too',
    run({ daemon }) {
      const script =
        'wc -c </proc/timer_list; touch /proc/sys/kernel/domainname 2>&1 | grep -o "Read-only.*"; ls /sys/firmware | wc -l';
      assert.equal(sh(daemon, [], script).replaceAll('\n', '|'), '0|Read-only file system|0');
    },
  },
];
