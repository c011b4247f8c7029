/**
 * Cgroups: who makes them, limits, statistics.
 *
 * @module
 */
import { deepEqual, equal, match, notEqual } from 'node:assert/strict';
import { type Case, Skip } from '../../engines/engine.ts';
import type { Account, Box } from '../podman.ts';
import { ANYWHERE, asBoth, asRoot, asUser, WAITS } from './case.ts';

const RUN = ['run', '--rm', '--network', 'none'];
const DETACHED = ['run', '-d', '--name', 'one', '--network', 'none'];
const VM = { vm: true } as const;

/** The container's cgroup, as the host sees it. */
function cgroupOf({ podman, run }: Pick<Account, 'podman' | 'run'>, name: string): string {
  const pid = podman.ok('inspect', '--format', '{{.State.Pid}}', name);
  return /^0::(.*)$/m.exec(run('cat', `/proc/${pid}/cgroup`).stdout)?.[1] ?? '';
}

/** Prints files of the container's own cgroup. */
const show = (...files: string[]) => ['sh', '-c', `cd /sys/fs/cgroup && cat ${files.join(' ')}`];

/** Limits and what their files say then. */
const LIMITS = [
  '--memory',
  '64m',
  '--memory-swap',
  '96m',
  '--memory-reservation',
  '32m',
  '--pids-limit',
  '55',
];
const LIMITED = {
  'memory.max': '67108864',
  'memory.swap.max': '33554432',
  'memory.low': '33554432',
  'pids.max': '55',
};

/** Of controllers that a user's systemd doesn't get without being told. */
const PROCESSOR = ['--cpus', '0.5', '--cpu-shares', '512', '--cpuset-cpus', '0'];

export const limiting: readonly Case<Box>[] = [
  ...asBoth(
    'cgroups disabled: none is made',
    (account) => {
      const { podman, runtime } = account;
      if (runtime === 'runc') throw new Skip('runc makes a cgroup always.');
      podman.ok(...DETACHED, '--cgroups', 'disabled', 'box', 'sleep', '1000');
      match(cgroupOf(account, 'one'), /^(?!.*libpod-[0-9a-f]{64})/);
      equal(podman.ok('exec', 'one', 'echo', 'in it'), 'in it');
      podman.ok('kill', 'one');
      equal(podman.ok('wait', 'one'), '137');
    },
    ANYWHERE,
  ),
  ...asBoth(
    'cgroups no-conmon',
    ({ podman }) => {
      equal(podman.ok(...RUN, '--cgroups', 'no-conmon', 'box', 'echo', 'yes'), 'yes');
    },
    ANYWHERE,
  ),
  ...asRoot(
    'run --cgroup-parent',
    (account) => {
      const { podman, manager } = account;
      const [parent, path] =
        manager === 'systemd'
          ? ['machine-own.slice', /^\/machine\.slice\/machine-own\.slice\/libpod-[0-9a-f]{64}\.scope/]
          : ['/own/parent', /^\/own\/parent\/libpod-[0-9a-f]{64}/];
      podman.ok(...DETACHED, '--cgroup-parent', parent, 'box', 'sleep', '1000');
      match(cgroupOf(account, 'one'), path);
    },
    ANYWHERE,
  ),
  ...asRoot(
    'run --cgroupns / a view of one’s own cgroup',
    ({ podman }) => {
      const own = ['box', 'grep', '^0:', '/proc/self/cgroup'];
      equal(podman.ok(...RUN, ...own), '0::/');
      match(podman.ok(...RUN, '--cgroupns', 'host', ...own), /libpod-[0-9a-f]{64}/);
    },
    ANYWHERE,
  ),
  ...asRoot(
    'manager cgroupfs: the cgroup by its path / limits',
    ({ podman: plain, run }) => {
      const podman = plain.with(['--cgroup-manager', 'cgroupfs']);
      podman.ok(...DETACHED, ...LIMITS, ...PROCESSOR, 'box', ...WAITS);
      match(cgroupOf({ podman, run }, 'one'), /^\/libpod_parent\/libpod-[0-9a-f]{64}$/);
      const wanted = { ...LIMITED, 'cpu.max': '50000 100000', 'cpuset.cpus': '0' };
      equal(podman.ok('exec', 'one', ...show(...Object.keys(wanted))), Object.values(wanted).join('\n'));
      podman.ok('stop', 'one');
    },
    VM,
  ),
  ...asBoth(
    'manager systemd: a scope / with the limits as its properties',
    (account) => {
      const { podman, run, rootless } = account;
      podman.ok(...DETACHED, ...LIMITS, 'box', ...WAITS);
      const path = cgroupOf(account, 'one');
      match(
        path,
        rootless
          ? /user@\d+\.service\/user\.slice\/libpod-[0-9a-f]{64}\.scope/
          : /^\/machine\.slice\/libpod-/,
      );
      const scope = /[^/]+\.scope/.exec(path)![0];
      const properties = 'MemoryMax MemorySwapMax TasksMax'.split(' ').flatMap((name) => ['-p', name]);
      const user = rootless ? ['--user'] : [];
      const said = run('systemctl', ...user, 'show', ...properties, scope)
        .stdout.trim()
        .split('\n')
        .sort();
      deepEqual(said, ['MemoryMax=67108864', 'MemorySwapMax=33554432', 'TasksMax=55']);
      equal(podman.ok('exec', 'one', ...show(...Object.keys(LIMITED))), Object.values(LIMITED).join('\n'));
      podman.ok('stop', 'one');
      podman.ok('rm', 'one');
      equal(run('systemctl', ...user, 'is-active', scope).stdout.trim(), 'inactive');
    },
    VM,
  ),
  ...asRoot(
    'run --cpus / --cpu-shares / --cpuset-cpus',
    ({ podman }) => {
      const out = podman.ok(...RUN, ...PROCESSOR, 'box', ...show('cpu.max', 'cpuset.cpus', 'cpu.weight'));
      const [quota, set, weight] = out.split('\n');
      deepEqual([quota, set], ['50000 100000', '0']);
      // Versions of runtimes differ in how shares become a weight.
      notEqual(weight, '100');
    },
    VM,
  ),
  ...asRoot(
    'run --blkio-weight / --device-read-bps / --cgroup-conf',
    ({ podman }) => {
      const options = ['--device-read-bps', '/dev/vda:1mb', '--cgroup-conf', 'memory.high=50000000'];
      const out = podman.ok(...RUN, ...options, 'box', ...show('io.max', 'memory.high'));
      match(out, /rbps=1048576[\s\S]*\n49999872$/);
    },
    VM,
  ),
  ...asBoth(
    'run --memory: out of memory',
    ({ podman, until }) => {
      const limit = ['--memory', '16m', '--memory-swap', '16m'];
      const eats = 'tail -c 100000000 /dev/zero';
      equal(podman.call(...RUN, ...limit, 'box', 'sh', '-c', `exec ${eats}`).code, 137);
      // The container goes on when what was killed is not its first process, and its cgroup tells.
      podman.ok(...DETACHED, ...limit, 'box', 'sh', '-c', `${eats}; exec sleep 1000`);
      const events = () => podman.call('exec', 'one', 'cat', '/sys/fs/cgroup/memory.events').stdout;
      until('one is killed', events, /^oom_kill 1$/m);
    },
    VM,
  ),
  ...asBoth(
    'run --pids-limit: no more processes',
    ({ podman }) => {
      const script = 'for i in 1 2 3 4 5 6 7 8 9; do sleep 100 & done; echo all';
      const { stdout, stderr } = podman.call(...RUN, '--pids-limit', '5', 'box', 'sh', '-c', script);
      equal(stdout, '');
      match(stderr, /can't fork/);
    },
    VM,
  ),
  ...asRoot(
    'run --device and device rules',
    ({ podman }) => {
      const script = 'mknod /tmp/disk b 254 0; cat /tmp/disk > /dev/null';
      match(
        podman.call(...RUN, '--cap-add', 'mknod', 'box', 'sh', '-c', script).stderr,
        /Operation not permitted/,
      );
      const rule = ['--cap-add', 'mknod', '--device-cgroup-rule', 'b 254:0 rm'];
      podman.ok(
        ...RUN,
        ...rule,
        'box',
        'sh',
        '-c',
        'mknod /tmp/disk b 254 0; head -c 1 /tmp/disk > /dev/null',
      );
    },
    VM,
  ),
  ...asBoth(
    'update',
    ({ podman }) => {
      podman.ok(...DETACHED, '--memory', '64m', 'box', 'sleep', '1000');
      podman.ok('update', '--memory', '80m', 'one');
      equal(podman.ok('exec', 'one', ...show('memory.max')), '83886080');
    },
    VM,
  ),
  ...asBoth(
    'stats',
    ({ podman }) => {
      podman.ok(...DETACHED, 'box', 'sleep', '1000');
      const [stats] = JSON.parse(podman.ok('stats', '--no-stream', '--format', 'json', 'one')) as Record<
        string,
        string
      >[];
      deepEqual([stats!.name, stats!.pids], ['one', '1']);
      match(stats!.mem_usage!, /^[1-9]/);
    },
    VM,
  ),
  ...asBoth(
    'pod with limits: one slice',
    (account) => {
      const { podman, rootless } = account;
      podman.ok(
        'pod',
        'create',
        '--name',
        'both',
        '--network',
        'none',
        ...(rootless ? [] : ['--cpus', '0.5']),
      );
      podman.ok('run', '-d', '--pod', 'both', '--name', 'one', '--memory', '64m', 'box', 'sleep', '1000');
      match(
        cgroupOf(account, 'one'),
        /\/(machine|user)-libpod_pod_[0-9a-f]{64}\.slice\/libpod-[0-9a-f]{64}\.scope/,
      );
      equal(podman.ok('exec', 'one', ...show('memory.max')), '67108864');
    },
    VM,
  ),
  ...asBoth(
    'run --cgroups split',
    ({ podman, run, place }) => {
      void place;
      const line = podman.argv(
        'run',
        '--rm',
        '--network',
        'none',
        '--cgroups',
        'split',
        'box',
        'echo',
        'yes',
      );
      const service = ['systemd-run', '--pipe', '--wait', '--quiet', '--collect', '-p', 'Delegate=yes'];
      const { code, stdout, stderr } = run(...service, ...line);
      deepEqual([code, stdout], [0, 'yes\n'], stderr);
    },
    VM,
  ).slice(0, 1),
  ...asUser(
    'manager cgroupfs',
    ({ podman: plain }) => {
      const podman = plain.with(['--cgroup-manager', 'cgroupfs']);
      podman.ok(...DETACHED, 'box', 'sleep', '1000');
      equal(podman.ok('exec', 'one', 'echo', 'in it'), 'in it');
      podman.ok('rm', '--force', '--time', '0', 'one');
    },
    VM,
  ),
  ...asRoot(
    'run --systemd: systemd’s own needs / with the systemd manager',
    ({ podman }) => {
      const script =
        'mkdir /sys/fs/cgroup/below && echo $$ > /sys/fs/cgroup/below/cgroup.procs && cat /proc/self/cgroup';
      equal(podman.ok(...RUN, '--systemd', 'always', 'box', 'sh', '-c', script), '0::/below');
    },
    VM,
  ),
];
