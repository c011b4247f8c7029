/** Limits, devices and privileges, with both cgroup drivers. In the VM only. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { call, ok, waitFor } from '../engines/engine.ts';
import {
  type Box,
  cgroupOf,
  type DockerCase,
  detach,
  execIn,
  inspect,
  plainDaemon,
  sh,
  tryRun,
} from './box.ts';
import type { Daemon } from './daemon.ts';
import { remapped } from './daemon-cases.ts';

interface Driver {
  readonly name: 'cgroupfs' | 'systemd';
  /** A parent for `--cgroup-parent`, and where it is below /sys/fs/cgroup. */
  parent(token: string): [name: string, path: string];
}

const DRIVERS: readonly Driver[] = [
  { name: 'cgroupfs', parent: (token) => [`/${token}/parent`, `/${token}/parent/`] },
  {
    name: 'systemd',
    parent: (token) => [`${token}-parent.slice`, `/${token}.slice/${token}-parent.slice/docker-`],
  },
];

/**
 * A daemon whose containers are on the host's network. For each one that isn't dockerd starts itself once more, in a hook,
 * and in emulation that takes longer than all that the runtime does.
 */
const limiting = (box: Box, driver: Driver['name']): Daemon => ({
  ...plainDaemon(box, driver),
  options: ['--network', 'host'],
});

/** A device that Docker gives nobody by itself. Opening it for writing needs no capability. */
const DEVICE = { path: '/dev/kmsg', number: '1 11' } as const;

const status = (field: string) => `sed -n "s/^${field}:\\t//p" /proc/self/status`;

/** Prints these files of the container's own cgroup, one a line. */
const files = (...names: string[]) => `cd /sys/fs/cgroup; cat ${names.join(' ')}`;

function casesWith({ name: driver, parent }: Driver): DockerCase[] {
  const daemonOf = (box: Box) => limiting(box, driver);
  const cases: Omit<DockerCase, 'vm'>[] = [
    {
      name: 'the driver and the container’s cgroup',
      run(box) {
        const daemon = daemonOf(box);
        assert.equal(
          daemon.ok(['info', '--format', '{{.CgroupDriver}} {{.CgroupVersion}}']).trim(),
          `${driver} 2`,
        );
        detach(daemon, 'placed');
        const group = cgroupOf(daemon, 'placed');
        const id = inspect(daemon, 'placed', 'Id');
        assert.ok(
          group.endsWith(driver === 'systemd' ? `/system.slice/docker-${id}.scope` : `/${id}`),
          group,
        );
        assert.equal(execIn(daemon, 'placed', 'sed -n s/^0:://p /proc/self/cgroup'), '/');
        daemon.ok(['rm', '--force', 'placed']);
        waitFor('the cgroup is gone', () => !existsSync(group));
      },
    },
    {
      name: '--memory --memory-swap --memory-reservation',
      run(box) {
        const options = ['--memory', '64m', '--memory-swap', '96m', '--memory-reservation', '16m'];
        const text = sh(daemonOf(box), options, files('memory.max', 'memory.swap.max', 'memory.low'));
        assert.deepEqual(text.split('\n'), ['67108864', '33554432', '16777216']);
      },
    },
    {
      name: '--memory: killed and told so',
      run(box) {
        const daemon = daemonOf(box);
        detach(
          daemon,
          'greedy',
          ['--memory', '32m'],
          'dd',
          'if=/dev/zero',
          'of=/dev/null',
          'bs=64M',
          'count=1',
        );
        assert.equal(daemon.ok(['wait', 'greedy']).trim(), '137');
        waitFor('the notice', () => inspect(daemon, 'greedy', 'State.OOMKilled') === 'true');
      },
    },
    {
      name: '--memory: the least that Docker allows',
      run(box) {
        assert.equal(sh(daemonOf(box), ['--memory', '6m'], 'echo fits'), 'fits');
      },
    },
    {
      name: '--cpus --cpu-shares --cpuset-cpus',
      run(box) {
        const options = ['--cpus', '0.5', '--cpu-shares', '512', '--cpuset-cpus', '1'];
        const script = `${files('cpu.max', 'cpu.weight', 'cpuset.cpus')}; nproc`;
        const [quota, weight, ...cpus] = sh(daemonOf(box), options, script).split('\n');
        assert.deepEqual([quota, ...cpus], ['50000 100000', '1', '1']);
        // Runtimes before 2025 convert shares by another formula.
        assert.match(weight!, /^(20|59)$/);
      },
    },
    {
      name: '--pids-limit',
      run(box) {
        const daemon = daemonOf(box);
        assert.equal(sh(daemon, ['--pids-limit', '5'], files('pids.max')), '5');
        const { code, stderr } = tryRun(
          daemon,
          ['--pids-limit', '5'],
          'sh',
          '-c',
          'for i in 1 2 3 4 5 6; do sleep 9 & done',
        );
        assert.notEqual(code, 0);
        assert.match(stderr, /fork/);
      },
    },
    {
      name: '--device-read-bps --device-write-iops',
      run(box) {
        const options = ['--device-read-bps', '/dev/vda:1mb', '--device-write-iops', '/dev/vda:77'];
        assert.match(
          sh(daemonOf(box), options, files('io.max')),
          /^\d+:\d+ rbps=1048576 wbps=max riops=max wiops=77$/,
        );
      },
    },
    {
      name: 'update',
      run(box) {
        const daemon = daemonOf(box);
        detach(daemon, 'updated', ['--memory', '64m', '--cpus', '1']);
        const options = ['--memory', '96m', '--memory-swap', '96m', '--cpus', '0.2', '--pids-limit', '77'];
        daemon.ok(['update', ...options, 'updated']);
        const text = execIn(daemon, 'updated', files('memory.max', 'memory.swap.max', 'cpu.max', 'pids.max'));
        assert.deepEqual(text.split('\n'), ['100663296', '0', '20000 100000', '77']);
      },
    },
    {
      name: 'stats',
      run(box) {
        const daemon = daemonOf(box);
        detach(daemon, 'measured', ['--memory', '64m', '--pids-limit', '50']);
        const format = '{{.MemUsage}}|{{.MemPerc}}|{{.PIDs}}|{{.CPUPerc}}';
        const line = daemon.ok(['stats', '--no-stream', '--format', format, 'measured']);
        assert.match(line, /^[1-9][\d.]*(B|KiB|MiB) \/ 64MiB\|[\d.]+%\|1\|[\d.]+%$/m);
      },
    },
    {
      name: 'pause exec kill',
      run(box) {
        const daemon = daemonOf(box);
        detach(daemon, 'frozen', ['--memory', '64m']);
        daemon.ok(['pause', 'frozen']);
        assert.equal(inspect(daemon, 'frozen', 'State.Status'), 'paused');
        daemon.ok(['unpause', 'frozen']);
        assert.equal(execIn(daemon, 'frozen', files('memory.max')), '67108864');
        daemon.ok(['kill', 'frozen']);
        assert.equal(daemon.ok(['wait', 'frozen']).trim(), '137');
      },
    },
    {
      name: '--device and --device-cgroup-rule',
      run(box) {
        const daemon = daemonOf(box);
        const given = ['--device', `${DEVICE.path}:/dev/given:w`];
        assert.equal(sh(daemon, given, ': >/dev/given && echo can'), 'can');
        const open = `mknod /tmp/d c ${DEVICE.number} && : >/tmp/d && echo can`;
        assert.equal(sh(daemon, ['--device-cgroup-rule', 'c 1:* rmw'], open), 'can');
        assert.match(tryRun(daemon, [], 'sh', '-c', open).stderr, /\/tmp\/d: Operation not permitted/);
      },
    },
    {
      name: '--privileged and exec --privileged',
      run(box) {
        const daemon = daemonOf(box);
        const script = `${status('CapEff')}; ${status('Seccomp')}; mount -t tmpfs none /tmp && echo mounted; : >/dev/kmsg && echo devices`;
        const [capabilities, ...rest] = sh(daemon, ['--privileged'], script).split('\n');
        // All that this Docker knows of.
        assert.match(capabilities!, /^00000[0-9a-f]{2}f{9}$/);
        assert.deepEqual(rest, ['0', 'mounted', 'devices']);
        detach(daemon, 'target');
        assert.equal(execIn(daemon, 'target', status('CapEff'), ['--privileged']), capabilities);
      },
    },
    {
      name: '--cgroup-parent',
      run(box) {
        const daemon = daemonOf(box);
        const [name, path] = parent(box.setting.token);
        detach(daemon, 'child', ['--cgroup-parent', name]);
        assert.ok(cgroupOf(daemon, 'child').startsWith(`/sys/fs/cgroup${path}`), cgroupOf(daemon, 'child'));
      },
    },
  ];
  return cases.map((one) => ({ ...one, name: `${driver}: ${one.name}`, vm: true }));
}

export const limitCases: readonly DockerCase[] = [
  ...DRIVERS.flatMap(casesWith),
  {
    name: 'AppArmor: the default profile and none',
    vm: true,
    run(box) {
      const daemon = limiting(box, 'cgroupfs');
      const label = 'cat /proc/self/attr/current';
      assert.equal(sh(daemon, [], label), 'docker-default (enforce)');
      assert.equal(sh(daemon, ['--security-opt', 'apparmor=unconfined'], label), 'unconfined');
      detach(daemon, 'target');
      assert.equal(execIn(daemon, 'target', label), 'docker-default (enforce)');
      // What the profile forbids, and capabilities and masks would not.
      assert.notEqual(
        tryRun(daemon, ['--cap-add', 'SYS_ADMIN'], 'mount', '-t', 'tmpfs', 'none', '/tmp').code,
        0,
      );
    },
  },
  {
    name: 'rights that a host’s root may lack: --ulimit upwards and --oom-score-adj downwards',
    vm: true,
    run(box) {
      // Nobody begins with a realtime priority.
      const options = ['--ulimit', 'rtprio=5:9', '--oom-score-adj', '-500'];
      const script = 'sed -n "s/^Max realtime priority *//p" /proc/self/limits; cat /proc/self/oom_score_adj';
      assert.match(sh(limiting(box, 'cgroupfs'), options, script), /^5 +9 *\n-500$/);
    },
  },
  {
    name: 'userns-remap: limits and devices',
    vm: true,
    run(box) {
      const daemon = remapped(box);
      detach(daemon, 'mapped', ['--memory', '64m', '--pids-limit', '50', '--cpus', '0.5']);
      const limits = ['memory.max', 'pids.max', 'cpu.max'];
      assert.deepEqual(execIn(daemon, 'mapped', files(...limits)).split('\n'), [
        '67108864',
        '50',
        '50000 100000',
      ]);
      daemon.ok(['update', '--memory', '96m', '--memory-swap', '96m', 'mapped']);
      // A device that is bound into the container, as nobody may make one there.
      assert.equal(
        execIn(daemon, 'mapped', `${files('memory.max')}; echo >/dev/null && echo can`),
        '100663296\ncan',
      );
    },
  },
  {
    name: 'systemd: the scope has the limits as properties and is gone in the end',
    vm: true,
    run(box) {
      const { place } = box.setting;
      const daemon = limiting(box, 'systemd');
      detach(daemon, 'scoped', ['--memory', '64m', '--cpus', '0.5', '--pids-limit', '9']);
      const unit = `docker-${inspect(daemon, 'scoped', 'Id')}.scope`;
      const wanted = ['MemoryMax', 'TasksMax', 'CPUQuotaPerSecUSec', 'Slice'];
      const shown = ok(place, ['systemctl', 'show', unit, ...wanted.map((each) => `--property=${each}`)]);
      assert.deepEqual(shown.trim().split('\n').sort(), [
        'CPUQuotaPerSecUSec=500ms',
        'MemoryMax=67108864',
        'Slice=system.slice',
        'TasksMax=9',
      ]);
      daemon.ok(['rm', '--force', 'scoped']);
      waitFor(
        'the end of the scope',
        () => call(place, ['systemctl', 'is-active', unit]).stdout.trim() !== 'active',
      );
    },
  },
];
