import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultSpec } from './default.ts';
import { fullSpec } from './sample-full.ts';
import { dockerSpec, kubernetesSpec, minimalSpec, podmanSpec, smallSpec } from './samples.ts';
import { assertViolations, changed } from './testing.ts';
import { validateProcessObject, validateResourcesObject, validateSpec, withoutNulls } from './validate.ts';
import { displayPath, displayValue, invalid } from './violations.ts';

const valid = { minimalSpec, smallSpec, dockerSpec, kubernetesSpec, podmanSpec, fullSpec, defaultSpec };
for (const [name, make] of Object.entries(valid)) {
  test(`accepts ${name}`, () => {
    assert.deepEqual(validateSpec(make()), []);
    // As it comes from a file.
    assert.deepEqual(validateSpec(JSON.parse(JSON.stringify(make()))), []);
  });
}

// Every row: what is set where in a full config; the path expected in the violation is the same.
const refused: [string, unknown][] = [
  ['ociVersion', 1],
  ['ociVersion', ''],
  ['ociVersion', '1.0'],
  ['ociVersion', 'v1.0.0'],
  ['ociVersion', '01.0.0'],
  ['ociVersion', '2.0.0'],
  ['ociVersion', '0.6.0'],
  ['root', []],
  ['root', undefined],
  ['root.path', undefined],
  ['root.path', 5],
  ['root.path', ''],
  ['root.readonly', 'yes'],
  ['mounts', {}],
  ['mounts[0]', '/proc'],
  ['mounts[0]', null],
  ['mounts[0].destination', undefined],
  ['mounts[0].destination', ''],
  ['mounts[0].type', 1],
  ['mounts[0].source', 1],
  ['mounts[0].options', 'ro'],
  ['mounts[0].options[0]', 1],
  ['mounts[0].uidMappings[0].size', 0],
  ['mounts[0].uidMappings[0].size', undefined],
  ['mounts[0].gidMappings', undefined],
  ['process', []],
  ['process.terminal', 1],
  ['process.consoleSize.height', -1],
  ['process.consoleSize.height', 65536],
  ['process.consoleSize.width', undefined],
  ['process.cwd', undefined],
  ['process.cwd', 'tmp'],
  ['process.cwd', ''],
  ['process.env', {}],
  ['process.env[0]', 1],
  ['process.args', []],
  ['process.args', undefined],
  ['process.args', 'sh'],
  ['process.args[0]', null],
  ['process.rlimits[0].type', 'RLIMIT_FOO'],
  ['process.rlimits[0].type', 'NOFILE'],
  ['process.rlimits[0].soft', -1],
  ['process.rlimits[0].soft', 4097],
  ['process.rlimits[0].hard', undefined],
  ['process.rlimits[0].hard', 2 ** 65],
  ['process.apparmorProfile', 1],
  ['process.capabilities', []],
  ['process.capabilities.bounding', {}],
  ['process.capabilities.bounding[0]', 'KILL'],
  ['process.capabilities.ambient[0]', 3],
  ['process.noNewPrivileges', 'true'],
  ['process.oomScoreAdj', -1001],
  ['process.oomScoreAdj', 1001],
  ['process.oomScoreAdj', 0.5],
  ['process.scheduler.policy', 'SCHED_FAST'],
  ['process.scheduler.policy', undefined],
  ['process.scheduler.nice', 20],
  ['process.scheduler.nice', -21],
  ['process.scheduler.priority', 1],
  ['process.scheduler.flags[0]', 'X'],
  ['process.scheduler.runtime', -1],
  ['process.selinuxLabel', {}],
  ['process.ioPriority.class', 'IOPRIO_CLASS_FAST'],
  ['process.ioPriority.class', undefined],
  ['process.ioPriority.priority', 8],
  ['process.ioPriority.priority', -1],
  ['process.execCPUAffinity.initial', 'all'],
  ['process.execCPUAffinity.final', 3],
  ['process.user', 'root'],
  ['process.user.uid', undefined],
  ['process.user.uid', -1],
  ['process.user.uid', '0'],
  ['process.user.uid', 1.5],
  ['process.user.uid', 2 ** 32],
  ['process.user.uid', 2 ** 32 - 1],
  ['process.user.uid', 70000],
  ['process.user.gid', undefined],
  ['process.user.gid', 2 ** 32 - 1],
  ['process.user.umask', 512],
  ['process.user.umask', -1],
  ['process.user.umask', '0022'],
  ['process.user.additionalGids', 5],
  ['process.user.additionalGids[1]', -5],
  ['process.user.additionalGids[1]', 2 ** 32 - 1],
  ['hostname', 5],
  ['hostname', 'x'.repeat(65)],
  ['hostname', 'é'.repeat(33)],
  ['domainname', {}],
  ['hooks', []],
  ['hooks.prestart', {}],
  ['hooks.createRuntime[0]', '/bin/true'],
  ['hooks.createContainer[0].path', undefined],
  ['hooks.createContainer[0].path', 'bin/true'],
  ['hooks.startContainer[0].args', 'x'],
  ['hooks.poststart[0].env[0]', 5],
  ['hooks.poststop[0].timeout', 0],
  ['hooks.poststop[0].timeout', -1],
  ['hooks.poststop[0].timeout', 1.5],
  ['annotations', []],
  ['annotations["com.example.key"]', 5],
  ['annotations[""]', 'x'],
  ['linux', []],
  ['linux.namespaces', {}],
  ['linux.namespaces[0].type', undefined],
  ['linux.namespaces[0].type', 'PID'],
  ['linux.namespaces[0].type', 7],
  ['linux.namespaces[7].type', 'network'],
  ['linux.namespaces[0].path', 'proc/1/ns/pid'],
  ['linux.uidMappings[0].hostID', undefined],
  ['linux.uidMappings[0].size', 0],
  ['linux.uidMappings[0].size', 2 ** 32],
  ['linux.gidMappings[0].containerID', -1],
  ['linux.timeOffsets', 5],
  ['linux.timeOffsets.boottime.secs', 'x'],
  ['linux.timeOffsets.monotonic.nanosecs', -1],
  ['linux.timeOffsets.monotonic.nanosecs', 1e9],
  ['linux.timeOffsets.realtime', {}],
  ['linux.devices[0].type', 'x'],
  ['linux.devices[0].type', undefined],
  ['linux.devices[0].path', 'dev/fuse'],
  ['linux.devices[0].path', '/dev/'],
  ['linux.devices[0].path', undefined],
  ['linux.devices[0].major', undefined],
  ['linux.devices[0].minor', -1],
  ['linux.devices[0].fileMode', -1],
  ['linux.devices[0].uid', 2 ** 32],
  ['linux.netDevices', []],
  ['linux.netDevices.eth1', 'eth0'],
  ['linux.netDevices.eth1.name', 5],
  ['linux.netDevices.eth1.name', 'a/b'],
  ['linux.netDevices.eth1.name', 'sixteen-bytes-xx'],
  ['linux.cgroupsPath', {}],
  ['linux.resources', []],
  ['linux.resources.devices[0].allow', undefined],
  ['linux.resources.devices[0].allow', 'false'],
  ['linux.resources.devices[1].type', 'p'],
  ['linux.resources.devices[1].major', '1'],
  ['linux.resources.devices[1].access', 'rx'],
  ['linux.resources.memory.limit', '512M'],
  ['linux.resources.memory.limit', 1.5],
  ['linux.resources.memory.swappiness', 101],
  ['linux.resources.memory.disableOOMKiller', 0],
  ['linux.resources.cpu.shares', -1],
  ['linux.resources.cpu.burst', 1000001],
  ['linux.resources.cpu.cpus', 3],
  ['linux.resources.cpu.idle', 2],
  ['linux.resources.pids.limit', '100'],
  ['linux.resources.blockIO.weight', 65536],
  ['linux.resources.blockIO.weightDevice[0].major', undefined],
  ['linux.resources.blockIO.throttleReadBpsDevice[0].rate', undefined],
  ['linux.resources.blockIO.throttleWriteIOPSDevice[0].rate', -1],
  ['linux.resources.hugepageLimits[0].pageSize', '2M'],
  ['linux.resources.hugepageLimits[0].limit', undefined],
  ['linux.resources.network.classID', 2 ** 32],
  ['linux.resources.network.priorities[0].name', undefined],
  ['linux.resources.rdma.mlx5_1', {}],
  ['linux.resources.rdma.mlx5_1.hcaHandles', -1],
  ['linux.resources.unified', []],
  ['linux.resources.unified["io.max"]', 5],
  ['linux.resources.unified["../x.y"]', '1'],
  ['linux.resources.unified.memory', '1'],
  ['linux.intelRdt.closID', '../x'],
  ['linux.intelRdt.schemata', 'L3:0=1'],
  ['linux.intelRdt.schemata[0]', 'L3:0=1\nMB:0=1'],
  ['linux.intelRdt.memBwSchema', 'L3:0=1'],
  ['linux.intelRdt.memBwSchema', 'MB:0=1\nL3:0=1'],
  ['linux.intelRdt.enableMonitoring', 1],
  ['linux.memoryPolicy.mode', undefined],
  ['linux.memoryPolicy.mode', 'MPOL_FAST'],
  ['linux.memoryPolicy.nodes', 'all'],
  ['linux.memoryPolicy.nodes', ''],
  ['linux.memoryPolicy.flags', ['MPOL_F_STATIC_NODES', 'MPOL_F_RELATIVE_NODES']],
  ['linux.memoryPolicy.flags[0]', 'MPOL_F_X'],
  ['linux.sysctl', []],
  ['linux.sysctl["net.ipv4.ip_forward"]', 1],
  ['linux.seccomp.defaultAction', undefined],
  ['linux.seccomp.defaultAction', 'SCMP_ACT_DENY'],
  ['linux.seccomp.defaultAction', 'SCMP_ACT_NOTIFY'],
  ['linux.seccomp.architectures[0]', 'x86_64'],
  ['linux.seccomp.flags[0]', 'SECCOMP_FILTER_FLAG_X'],
  ['linux.seccomp.listenerPath', 5],
  ['linux.seccomp.syscalls', {}],
  ['linux.seccomp.syscalls[0].names', undefined],
  ['linux.seccomp.syscalls[0].names', []],
  ['linux.seccomp.syscalls[0].names[0]', 5],
  ['linux.seccomp.syscalls[0].action', 'ALLOW'],
  ['linux.seccomp.syscalls[0].errnoRet', -1],
  ['linux.seccomp.syscalls[1].errnoRet', 1],
  ['linux.seccomp.syscalls[1].names[0]', 'write'],
  ['linux.seccomp.syscalls[0].args[0].index', 6],
  ['linux.seccomp.syscalls[0].args[0].value', undefined],
  ['linux.seccomp.syscalls[0].args[0].op', '=='],
  ['linux.rootfsPropagation', 'host'],
  ['linux.maskedPaths', '/proc/kcore'],
  ['linux.maskedPaths[0]', 'proc/kcore'],
  ['linux.readonlyPaths[0]', ''],
  ['linux.mountLabel', 5],
  ['linux.personality.domain', 'UNIX'],
  ['linux.personality.domain', undefined],
  ['linux.personality.flags', 'x'],
  ['vm.hypervisor', []],
  ['vm.hwConfig.vcpus', -1],
  ['windows', 'yes'],
];
for (const [path, value] of refused) {
  test(`refuses ${path} = ${JSON.stringify(value)?.slice(0, 40)}`, () => {
    const violations = validateSpec(changed((spec) => setAt(spec, path, value), fullSpec));
    const found = violations.find((violation) => violation.path === path);
    assert.ok(found, JSON.stringify(violations, null, 1));
    assert.equal(found.message.slice(0, path.length + 2), `${path}: `);
    // Beside it there are only consequences of the same change.
    const others = violations.filter(
      (other) => other !== found && !/seccomp|process\.user|timeOff/.test(other.path),
    );
    assert.deepEqual(others, []);
  });
}

/** Sets or (undefined) deletes what stands at a displayed path. */
function setAt(spec: Record<string, unknown>, path: string, value: unknown): void {
  const keys = [...path.matchAll(/\["([^"]*)"\]|\[(\d+)\]|([^.[\]]+)/g)].map(
    (m) => m[1] ?? m[2] ?? m[3] ?? '',
  );
  const last = keys.pop() ?? '';
  let parent = spec;
  for (const key of keys) parent = parent[key] as Record<string, unknown>;
  if (value === undefined) delete parent[last];
  else parent[last] = value;
}

test('unknown properties are allowed everywhere', () => {
  const spec = changed((s) => {
    for (const o of [s, s.root, s.process, s.process.user, s.linux, s.linux.namespaces[0], s.linux.seccomp]) {
      o.extension = { anything: [1, null] };
    }
    s.process.capabilities.extension = [5];
  }, fullSpec);
  assertViolations(spec);
});

test('null is absent', () => {
  const nulled = changed((s) => {
    s.annotations = null;
    s.process.rlimits = null;
    s.linux.resources = { memory: null, devices: null };
  });
  assertViolations(nulled);
  assertViolations(
    changed((s) => (s.process.cwd = null)),
    'process.cwd',
  );
  assert.deepEqual(withoutNulls({ a: null, b: [null, { c: null }] }), { b: [null, {}] });
});

test('a config that is no object', () => {
  for (const value of [undefined, null, 5, 'x', [], true]) {
    const [violation, ...more] = validateSpec(value);
    assert.equal(more.length, 0);
    assert.match(violation?.message ?? '', /^expected an object, found /);
  }
});

test('all violations at once, schema and checks, each with what was found and what is allowed', () => {
  const spec = changed((s) => {
    s.linux.namespaces.push({ type: 'pidd' });
    s.process.cwd = 'x';
    s.process.user.uid = 'root';
  });
  assert.deepEqual(
    validateSpec(spec).map(({ message }) => message),
    [
      'process.user.uid: expected an integer from 0 to 4294967295, found "root"',
      'linux.namespaces[5].type: expected one of pid, network, mount, ipc, uts, user, cgroup, time, found "pidd"',
      'process.cwd: Cwd must be an absolute path',
    ],
  );
});

test('a check is left out when the schema refuses what it reads', () => {
  // Without the entry of type uts there would be a second, false violation of hostname.
  assertViolations(
    changed((s) => (s.linux.namespaces[2].type = 'UTS')),
    'linux.namespaces[2].type',
  );
});

test('process and resources on their own', () => {
  assert.deepEqual(validateProcessObject({ cwd: '/', args: ['x'], user: { uid: 0, gid: 0 } }), []);
  assert.deepEqual(
    validateProcessObject({ cwd: 'x', args: [], user: { uid: 2 ** 32 - 1, gid: 0 } }).map(
      ({ message }) => message,
    ),
    [
      'args: args must not be empty',
      'cwd: Cwd must be an absolute path',
      'user.uid: expected an integer from 0 to 4294967294, found 4294967295',
    ],
  );
  assert.match(validateProcessObject([])[0]?.message ?? '', /^expected an object/);
  assert.deepEqual(validateResourcesObject({ memory: { limit: 5 } }), []);
  assert.deepEqual(
    validateResourcesObject({ memory: { limit: 'x' }, unified: { 'a/b': '1' } }).map(({ path }) => path),
    ['memory.limit', 'unified["a/b"]'],
  );
});

test('NUL in any string, key or unknown property', () => {
  assertViolations(
    changed((s) => {
      s.process.args.push('a\0b');
      s.extension = { deep: ['\0'] };
      s.annotations = { 'k\0': 'v' };
    }),
    'process.args[1]',
    'extension.deep[0]',
    'annotations["k\\u0000"]',
  );
});

test('display of paths and values', () => {
  assert.equal(displayPath(['a', 0, 'b.c', '', 'x'.repeat(100)]), `a[0]["b.c"][""].${'x'.repeat(100)}`);
  assert.equal(displayPath([`${'y '.repeat(100)}`]), `["${'y '.repeat(30)}..."]`);
  assert.equal(displayValue('x'.repeat(200)), `"${'x'.repeat(59)}..."`);
  assert.equal(displayValue('a\nb'), '"a\\nb"');
  assert.equal(displayValue({}), 'an empty object');
  assert.equal(displayValue([1]), 'an array');
  assert.equal(displayValue(undefined), 'nothing');
});

test('one error for all violations, no longer than twenty of them', () => {
  const many = changed((s) => (s.process.env = Array.from({ length: 50 }, (_, i) => i)));
  const error = invalid('config.json', validateSpec(many));
  assert.equal(error.code, 'E_CONFIG_INVALID');
  assert.equal(error.details.field, 'process.env[0]');
  assert.match(error.message, /^config\.json is invalid \(50 errors\): process\.env\[0\]: .*; and 30 more$/);
  assert.equal(error.message.match(/process\.env\[/g)?.length, 20);
  const [first] = validateSpec(changed((s) => (s.hostname = 5)));
  assert.ok(first, 'a violation');
  assert.equal(
    invalid('config.json', [first]).message,
    'config.json is invalid: hostname: expected a string, found 5',
  );
});
