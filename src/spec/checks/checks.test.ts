import assert from 'node:assert/strict';
import { test } from 'node:test';
import { smallSpec } from '../samples.ts';
import { assertViolations, changed } from '../testing.ts';
import { validateSpec } from '../validate.ts';
import { CHECKS } from './index.ts';
import { sysctlComponents } from './sysctl.ts';

/** The messages for a small config after a change. */
// biome-ignore lint/suspicious/noExplicitAny: tests put wrong types into specs
function messages(change: (spec: any) => void): string[] {
  return validateSpec(changed(change)).map(({ message }) => message);
}

const MAP = { containerID: 0, hostID: 1000, size: 10 };
const user = { type: 'user' };

test('checks have unique names, a section and what they read', () => {
  assert.equal(new Set(CHECKS.map(({ name }) => name)).size, CHECKS.length);
  for (const { name, spec, reads } of CHECKS) {
    assert.match(name, /^[a-z-]+$/);
    assert.match(spec, /^config(-linux)?\.md, /);
    assert.ok(reads.length > 0, name);
  }
});

test('ociVersion: every 1.x', () => {
  for (const version of ['1.0.0', '1.0.0-rc5', '1.0.0-rc5+dev', '1.0.2-dev', '1.3.0', '1.99.0']) {
    assertViolations(changed((s) => (s.ociVersion = version)));
  }
  assert.deepEqual(
    messages((s) => (s.ociVersion = '2.0.0')),
    ['ociVersion: unsupported version "2.0.0": every 1.x is supported'],
  );
});

test('paths that are longer than the kernel takes', () => {
  const allowed = 'expected a path of at most 4095 bytes, with names of at most 255';
  const long = `/${'x'.repeat(256)}`;
  const wide = `/${'ü'.repeat(128)}`;
  const deep = '/x'.repeat(2048);
  for (const path of [long, wide, deep]) {
    const found = messages((s) => {
      s.process.cwd = path;
      s.mounts = [{ destination: path, type: 'tmpfs' }];
      s.linux.maskedPaths = ['/proc/kcore', path];
      s.linux.devices = [{ path, type: 'c', major: 1, minor: 3 }];
    });
    assert.deepEqual(
      found.map((text) => text.split(': ')[0]),
      ['process.cwd', 'mounts[0].destination', 'linux.maskedPaths[1]', 'linux.devices[0].path'],
    );
    for (const text of found) assert.ok(text.includes(allowed), text);
  }
  for (const path of [`/${'x'.repeat(255)}`, `/${'ü'.repeat(127)}`, '/x'.repeat(2047)])
    assertViolations(changed((s) => Object.assign(s.process!, { cwd: path })));
});

test('device numbers that the kernel would cut off, and more groups than it takes', () => {
  assert.deepEqual(
    messages((s) => (s.linux.devices = [{ path: '/dev/x', type: 'b', major: 4096, minor: 1048576 }])),
    [
      'linux.devices[0].major: expected a number of at most 4095, found 4096',
      'linux.devices[0].minor: expected a number of at most 1048575, found 1048576',
    ],
  );
  assert.deepEqual(
    messages((s) => (s.process.user = { uid: 0, gid: 0, additionalGids: new Array(65537).fill(5) })),
    ['process.user.additionalGids: expected at most 65536 entries, found an array'],
  );
});

test('namespaces', () => {
  assert.deepEqual(
    messages((s) => s.linux.namespaces.push({ type: 'pid', path: '/proc/1/ns/pid' })),
    ['linux.namespaces[5].type: duplicate namespace "pid": linux.namespaces[0] is of this type'],
  );
});

test('host names need a UTS namespace, new or joined', () => {
  const without = { ...smallSpec(), domainname: 'd', linux: { namespaces: [] } };
  assert.deepEqual(
    validateSpec(without).map(({ message }) => message),
    [
      'hostname: unable to set hostname without a private UTS namespace',
      'domainname: unable to set domainname without a private UTS namespace',
    ],
  );
  assertViolations({ ...without, linux: { namespaces: [{ type: 'uts', path: '/run/ns/uts' }] } });
  assertViolations({ ...without, hostname: '', domainname: '' });
});

test('masks need a mount namespace', () => {
  assert.deepEqual(
    messages((s) => {
      s.linux = { namespaces: [{ type: 'uts' }], maskedPaths: ['/x'], readonlyPaths: [] };
    }),
    ['linux.maskedPaths: unable to restrict sys entries without a private MNT namespace'],
  );
});

test('mappings and the user namespace', () => {
  assert.deepEqual(
    messages((s) => (s.linux.gidMappings = [MAP])),
    ["linux.gidMappings: user namespace mappings specified, but user namespace isn't enabled in the config"],
  );
  assert.deepEqual(
    messages((s) => s.linux.namespaces.push(user)),
    [
      'linux.uidMappings: user namespaces enabled, but no namespace path to join nor mappings to apply specified',
    ],
  );
  assertViolations(
    changed((s) => {
      s.linux.namespaces.push(user);
      s.linux.uidMappings = [MAP];
    }),
    'linux.gidMappings',
  );
  // Joined: mappings may be given again, as some callers do.
  for (const mappings of [undefined, [MAP]]) {
    assertViolations(
      changed((s) => {
        s.linux.namespaces.push({ type: 'user', path: '/run/ns/user' });
        s.linux.uidMappings = mappings;
        s.linux.gidMappings = mappings;
      }),
    );
  }
});

const mapped = (uidMappings: object[]) =>
  changed((s) => {
    s.linux.namespaces.push(user);
    s.linux.uidMappings = uidMappings;
    s.linux.gidMappings = [MAP];
  });

test('ranges of mappings', () => {
  assertViolations(
    mapped([MAP, { containerID: 10, hostID: 1010, size: 5 }, { containerID: 15, hostID: 0, size: 1000 }]),
  );
  assertViolations(mapped([{ containerID: 0, hostID: 0, size: 2 ** 32 - 1 }]));
  assertViolations(
    mapped([MAP, { containerID: 9, hostID: 5000, size: 5 }]),
    'linux.uidMappings[1].containerID',
  );
  assertViolations(mapped([MAP, { containerID: 100, hostID: 995, size: 6 }]), 'linux.uidMappings[0].hostID');
  assertViolations(mapped([{ ...MAP, hostID: 2 ** 32 - 5 }]), 'linux.uidMappings[0].hostID');
  const many = Array.from({ length: 341 }, (_, i) => ({ containerID: i, hostID: i, size: 1 }));
  assertViolations(mapped(many), 'linux.uidMappings');
  assertViolations(mapped(many.slice(1)), 'process.user.uid');
});

test('the user must be mapped', () => {
  assertViolations(
    changed((s) => {
      s.process.user = { uid: 10, gid: 10 };
      s.linux.namespaces.push(user);
      s.linux.uidMappings = [MAP];
      s.linux.gidMappings = [{ containerID: 5, hostID: 5, size: 6 }];
    }),
    'process.user.uid',
  );
});

test('id-mapped mounts', () => {
  assertViolations(
    changed((s) => (s.mounts[0].uidMappings = [MAP])),
    'mounts[0].gidMappings',
  );
  assertViolations(
    changed((s) => Object.assign(s.mounts[0], { uidMappings: [MAP, MAP], gidMappings: [MAP] })),
    'mounts[0].uidMappings[1].containerID',
    'mounts[0].uidMappings[1].hostID',
  );
});

test('time offsets need a new time namespace', () => {
  const offsets = (...namespaces: object[]) =>
    messages((s) => {
      s.linux.namespaces.push(...namespaces);
      s.linux.timeOffsets = { monotonic: { secs: 1 } };
    });
  assert.deepEqual(offsets({ type: 'time' }), []);
  assert.deepEqual(offsets(), [
    "linux.timeOffsets: time namespace offsets specified, but time namespace isn't enabled in the config",
  ]);
  assert.deepEqual(offsets({ type: 'time', path: '/run/ns/time' }), [
    'linux.timeOffsets: time namespace enabled, but both namespace path and time offsets specified -- you may only provide one',
  ]);
  assertViolations(changed((s) => (s.linux.timeOffsets = {})));
});

test('network devices', () => {
  assertViolations(changed((s) => (s.linux.netDevices = { eth1: {}, eth2: { name: 'in0' } })));
  assertViolations(
    changed((s) => (s.linux.netDevices = { eth1: { name: 'in0' }, in0: {}, 'a/b': {} })),
    'linux.netDevices.in0.name',
    'linux.netDevices["a/b"]',
    'linux.netDevices["a/b"].name',
  );
  assert.deepEqual(
    messages((s) => {
      s.linux.namespaces = [{ type: 'uts' }];
      s.linux.netDevices = { eth1: {} };
    }),
    ['linux.netDevices: unable to move network devices without a private NET namespace'],
  );
});

const sysctl = (
  name: string,
  types: string[] = ['network', 'ipc', 'uts', 'user', 'mount'],
  extra: object = {},
) =>
  validateSpec({
    ...smallSpec(),
    hostname: '',
    ...extra,
    linux: {
      namespaces: types.map((type) => ({ type, path: `/run/ns/${type}` })),
      sysctl: { [name]: '1' },
    },
  }).map(({ message }) => message.replace(/^linux\.sysctl\[".*?"\]: /, ''));

test('sysctls of the container’s own namespaces', () => {
  for (const name of [
    'net.ipv4.ip_forward',
    'net/ipv4/ip_forward',
    'net.ipv4.conf.eth0/100.rp_filter',
    'net/ipv4/conf/eth0.100/rp_filter',
    'kernel.shmmax',
    'kernel/msgmax',
    'kernel.sem',
    'kernel.shm_rmid_forced',
    'fs.mqueue.msg_max',
    'fs/mqueue/msg_max',
    'kernel.domainname',
    'user.max_user_namespaces',
  ]) {
    assert.deepEqual(sysctl(name), [], name);
    assert.equal(sysctl(name, []).length, 1, name);
  }
});

test('sysctls of the host', () => {
  for (const name of [
    'kernel.core_pattern',
    'vm.swappiness',
    'fs.file-max',
    'kernel.shm',
    'netx.y',
    'kernel.panic',
  ]) {
    assert.deepEqual(sysctl(name), [`sysctl ${JSON.stringify(name)} is not in a separate kernel namespace`]);
  }
  assert.deepEqual(sysctl('net.core.somaxconn', ['ipc']), [
    'sysctl "net.core.somaxconn" is not allowed in host network namespace',
  ]);
  assert.deepEqual(sysctl('kernel.sem', ['network']), [
    'sysctl "kernel.sem" is not allowed in the hosts ipc namespace',
  ]);
});

test('sysctls that are fields', () => {
  assert.deepEqual(sysctl('kernel.hostname'), [
    'sysctl "kernel.hostname" is not allowed as it conflicts with the OCI "hostname" field',
  ]);
  assert.deepEqual(sysctl('kernel.domainname', ['uts'], { domainname: 'd' }), [
    'sysctl "kernel.domainname" is not allowed as it conflicts with the OCI "domainname" field',
  ]);
});

test('sysctl names that leave their folder', () => {
  for (const name of [
    'net/../kernel/core_pattern',
    'net.//.kernel.core_pattern',
    'net./.kernel',
    'net..x',
    'net/',
    '/net/x',
    '.net.x',
    'net',
    '',
  ]) {
    assert.equal(sysctl(name).length, 1, name);
  }
  assert.deepEqual(sysctlComponents('net.//.kernel'), ['net', '..', 'kernel']);
  assert.deepEqual(sysctlComponents('net.ipv4.conf.eth0/1.x'), ['net', 'ipv4', 'conf', 'eth0.1', 'x']);
  assert.deepEqual(sysctlComponents('net/ipv4/conf/eth0.1/x'), ['net', 'ipv4', 'conf', 'eth0.1', 'x']);
});

test('limits', () => {
  const limit = { type: 'RLIMIT_CORE', soft: 1, hard: 1 };
  assertViolations(
    changed(
      (s) => (s.process.rlimits = [limit, { ...limit, type: 'RLIMIT_AS' }, limit, { ...limit, soft: 2 }]),
    ),
    'process.rlimits[2].type',
    'process.rlimits[3].type',
    'process.rlimits[3].soft',
  );
});

test('consoleSize is ignored without a terminal', () => {
  const size = { height: 70000, width: 70000 };
  assertViolations(changed((s) => (s.process.consoleSize = size)));
  assertViolations(
    changed((s) => Object.assign(s.process, { terminal: true, consoleSize: size })),
    'process.consoleSize.height',
    'process.consoleSize.width',
  );
});

test('scheduler', () => {
  const scheduler = (value: object) => messages((s) => (s.process.scheduler = value));
  assert.deepEqual(scheduler({ policy: 'SCHED_FIFO', priority: 1 }), []);
  assert.deepEqual(scheduler({ policy: 'SCHED_OTHER', nice: 19, priority: 0, runtime: 0 }), []);
  assert.match(
    scheduler({ policy: 'SCHED_RR' })[0] ?? '',
    /expected an integer from 1 to 99 with SCHED_RR, found nothing/,
  );
  assert.match(
    scheduler({ policy: 'SCHED_BATCH', priority: 3 })[0] ?? '',
    /can only be specified for SchedFIFO or SchedRR/,
  );
  assert.match(
    scheduler({ policy: 'SCHED_RR', priority: 3, period: 1 })[0] ?? '',
    /only be specified for SchedDeadline/,
  );
});

test('memory policy', () => {
  const policy = (value: object) => messages((s) => (s.linux.memoryPolicy = value));
  assert.deepEqual(policy({ mode: 'MPOL_DEFAULT' }), []);
  assert.deepEqual(policy({ mode: 'MPOL_LOCAL', nodes: '' }), []);
  assert.deepEqual(policy({ mode: 'MPOL_PREFERRED', nodes: '' }), []);
  assert.equal(policy({ mode: 'MPOL_DEFAULT', nodes: '0' }).length, 1);
  assert.equal(policy({ mode: 'MPOL_BIND' }).length, 1);
});

test('seccomp', () => {
  const rule = { names: ['x'], action: 'SCMP_ACT_NOTIFY' };
  const seccomp = (value: object) =>
    validateSpec(changed((s) => (s.linux.seccomp = value))).map(({ path }) => path);
  assert.deepEqual(
    seccomp({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule], listenerPath: '/run/x' }),
    [],
  );
  assert.deepEqual(seccomp({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule] }), [
    'linux.seccomp.listenerPath',
  ]);
  assert.deepEqual(seccomp({ defaultAction: 'SCMP_ACT_ALLOW', listenerMetadata: 'x' }), [
    'linux.seccomp.listenerMetadata',
  ]);
  assert.deepEqual(seccomp({ defaultAction: 'SCMP_ACT_KILL', defaultErrnoRet: 1 }), [
    'linux.seccomp.defaultErrnoRet',
  ]);
  assert.deepEqual(seccomp({ defaultAction: 'SCMP_ACT_TRACE', defaultErrnoRet: 1 }), []);
});

test('devices', () => {
  assertViolations(
    changed((s) => {
      s.linux.devices = [
        { type: 'p', path: '/run/fifo' },
        { type: 'b', path: '/dev/..' },
        { type: 'u', path: '/', major: 0, minor: 0 },
      ];
    }),
    'linux.devices[1].major',
    'linux.devices[1].minor',
    'linux.devices[1].path',
    'linux.devices[2].path',
  );
});

test('cgroup limits', () => {
  const resources = (value: object) =>
    validateSpec(changed((s) => (s.linux.resources = value))).map(({ path }) => path);
  assert.deepEqual(resources({ cpu: { quota: -1, burst: 5 } }), []);
  assert.deepEqual(resources({ cpu: { quota: 4, burst: 5 } }), ['linux.resources.cpu.burst']);
  assert.deepEqual(resources({ blockIO: { weightDevice: [{ major: 8, minor: 0 }] } }), [
    'linux.resources.blockIO.weightDevice[0]',
  ]);
  assert.deepEqual(resources({ pids: {} }), []);
});
