/**
 * What random configs are made of.
 *
 * @module
 */
import fc from 'fast-check';
import type {
  Hook,
  Hooks,
  LinuxDevice,
  LinuxIDMapping,
  LinuxSeccomp,
  Mount,
  POSIXRlimit,
} from '../../src/spec/types.ts';
import { BASE, HOOKS, SIDE } from './side.ts';

/** Of all capabilities those that root has on every host that containers run on. */
export const CAPABILITIES = [
  ...['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FSETID', 'CAP_FOWNER', 'CAP_MKNOD', 'CAP_NET_RAW', 'CAP_SETGID'],
  ...['CAP_SETUID', 'CAP_SETFCAP', 'CAP_SETPCAP', 'CAP_NET_BIND_SERVICE', 'CAP_SYS_CHROOT', 'CAP_KILL'],
];

/** Absent but for some of a hundred. Shrinks to absent. */
export function sometimes<T>(percent: number, what: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof(
    { withCrossShrink: true },
    { weight: 100 - percent, arbitrary: fc.constant(undefined) },
    { weight: percent, arbitrary: what },
  );
}

/** Some of a list, in any order. */
export function someOf<T>(list: readonly T[], least = 0): fc.Arbitrary<T[]> {
  return fc.shuffledSubarray([...list], { minLength: least, maxLength: Math.min(list.length, 6) });
}

/** One of each of some rows. */
function oneOfEach(rows: readonly (readonly string[])[], most: number): fc.Arbitrary<string[]> {
  return inOrder(rows, most).chain((some) => fc.tuple(...some.map((row) => fc.constantFrom(...row))));
}

function inOrder<T>(list: readonly T[], most: number): fc.Arbitrary<T[]> {
  return fc.subarray([...list], { maxLength: most });
}

const kind = (paths: boolean): fc.Arbitrary<'new' | 'host' | 'path'> =>
  fc.oneof(
    { withCrossShrink: true },
    { weight: 7, arbitrary: fc.constant('new' as const) },
    { weight: 2, arbitrary: fc.constant('host' as const) },
    { weight: paths ? 2 : 0, arbitrary: fc.constant('path' as const) },
  );

export const namespaces = fc.record({
  pid: kind(true),
  network: kind(true),
  ipc: kind(true),
  uts: kind(true),
  cgroup: kind(false),
});

export const mapping = fc.constantFrom<LinuxIDMapping[][]>(
  [{ containerID: 0, hostID: BASE, size: 65_536 }],
  [
    { containerID: 0, hostID: BASE, size: 1000 },
    { containerID: 1000, hostID: BASE + 1000, size: 100_000 },
  ],
  [{ containerID: 0, hostID: BASE, size: 1001 }],
);

const EXTRA = ['CAP_SYS_ADMIN', 'CAP_NET_ADMIN', 'CAP_SYS_PTRACE', 'CAP_SYS_NICE', 'CAP_AUDIT_WRITE'];

/** Mostly sets that the kernel takes: permitted in bounding, effective and ambient in permitted. */
export const capabilities = fc
  .record({
    bounding: fc.subarray([...CAPABILITIES, ...EXTRA, 'CAP_MADE_UP']),
    dropped: fc.subarray([...CAPABILITIES, ...EXTRA], { maxLength: 3 }),
    ineffective: fc.subarray(CAPABILITIES, { maxLength: 3 }),
    inheritable: fc.boolean(),
    ambient: sometimes(40, fc.subarray([...CAPABILITIES, ...EXTRA])),
    absent: sometimes(15, someOf(['bounding', 'effective', 'inheritable'])),
  })
  .map(({ bounding, dropped, ineffective, inheritable, ambient, absent }) => {
    const permitted = bounding.filter((name) => !dropped.includes(name));
    const inherits = inheritable && absent?.includes('inheritable') !== true;
    const sets = {
      bounding,
      permitted,
      effective: permitted.filter((name) => !ineffective.includes(name)),
      inheritable: inheritable ? permitted : undefined,
      // Not without the inheritable set: the kernel's rule.
      ambient: inherits ? ambient?.filter((name) => permitted.includes(name)) : undefined,
    };
    return Object.fromEntries(
      Object.entries(sets).filter(([name, set]) => set !== undefined && !absent?.includes(name)),
    );
  });

/** Below what hosts give, because raising needs a capability that root may lack. */
const LIMITS: Readonly<Partial<Record<POSIXRlimit['type'], readonly [soft: number, hard: number][]>>> = {
  RLIMIT_NOFILE: [
    [64, 128],
    [1024, 4096],
    [256, 256],
  ],
  RLIMIT_CORE: [
    [0, 0],
    [0, 4096],
  ],
  RLIMIT_STACK: [[1 << 20, 1 << 22]],
  RLIMIT_FSIZE: [[1 << 30, 2 ** 31]],
  RLIMIT_NPROC: [[2000, 3000]],
  RLIMIT_MEMLOCK: [
    [4096, 65_536],
    [0, 0],
  ],
  RLIMIT_AS: [[1 << 30, 2 ** 33]],
  RLIMIT_CPU: [[100, 200]],
  RLIMIT_DATA: [[1 << 30, 1 << 30]],
  RLIMIT_MSGQUEUE: [[1000, 2000]],
  RLIMIT_SIGPENDING: [[10, 100]],
  RLIMIT_LOCKS: [[1, 2]],
  RLIMIT_RSS: [[1 << 20, 1 << 21]],
  RLIMIT_NICE: [[0, 0]],
  RLIMIT_RTPRIO: [[0, 0]],
  RLIMIT_RTTIME: [[1000, 2000]],
};

export const limits = fc
  .subarray(
    Object.entries(LIMITS).flatMap(([type, values]) =>
      values.map(([soft, hard]): POSIXRlimit => ({ type: type as POSIXRlimit['type'], soft, hard })),
    ),
    { maxLength: 5 },
  )
  .map((list) => list.filter(({ type }, i) => list.findIndex((other) => other.type === type) === i));

/** Of each row at most one: runtimes differ in which of two that contradict each other wins. */
const FLAGS = [
  ['ro', 'rw'],
  ['nosuid', 'suid'],
  ['nodev', 'dev'],
  ['noexec', 'exec'],
  ['noatime', 'relatime', 'strictatime'],
  ['nodiratime', 'diratime'],
  ['sync'],
  ['dirsync'],
];
const RECURSIVE = [
  ['rro', 'rrw'],
  ['rnosuid', 'rsuid'],
  ['rnodev', 'rdev'],
  ['rnoexec', 'rexec'],
  ['rnoatime', 'rrelatime', 'rstrictatime'],
];
const PROPAGATION = [
  'private',
  'rprivate',
  'slave',
  'rslave',
  'shared',
  'rshared',
  'unbindable',
  'runbindable',
];

const FOLDER_PLACES = [
  ...['/mnt/a', '/mnt/a/b', '/made/by/mount', '/opt/folder', '/link/below', '/var/run/x', '/opt/up/escaped'],
  ...['/tmp', '/dev/extra', '/link', '/home//user/', '/mnt/./c/../d', 'relative/place', '/run'],
];
const FILE_PLACES = ['/mnt/file', '/opt/file', '/made/deep/file', '/link/file', '/etc/passwd', '/dev/file'];

const bindSource = (type: string): string => `${SIDE}/source/${type}`;

const options = (most: number): fc.Arbitrary<string[]> =>
  fc
    .tuple(
      oneOfEach(FLAGS, most),
      sometimes(25, fc.constantFrom(...PROPAGATION)),
      sometimes(20, oneOfEach(RECURSIVE, 2)),
    )
    .map(([flags, propagation, recursive]) => [
      ...flags,
      ...(propagation === undefined ? [] : [propagation]),
      ...(recursive ?? []),
    ]);

const bind = (sources: readonly string[], places: readonly string[]): fc.Arbitrary<Mount> =>
  fc
    .record({
      destination: fc.constantFrom(...places),
      source: fc.constantFrom(...sources.map(bindSource)),
      type: fc.constantFrom('bind', 'none', undefined),
      how: fc.constantFrom('bind', 'rbind'),
      options: options(3),
    })
    .map(({ how, options: rest, ...mount }) => ({ ...mount, options: [how, ...rest] }));

const tmpfs: fc.Arbitrary<Mount> = fc
  .record({
    destination: fc.constantFrom(...FOLDER_PLACES),
    options: options(3),
    data: sometimes(
      40,
      inOrder(['size=64k', 'mode=0700', 'uid=7', 'gid=8', 'nr_inodes=100', 'tmpcopyup'], 3),
    ),
  })
  .map(({ destination, options: rest, data = [] }) => ({
    destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options: [...rest, ...data],
  }));

const overlay: fc.Arbitrary<Mount> = fc
  .record({ destination: fc.constantFrom(...FOLDER_PLACES), options: oneOfEach(FLAGS, 2) })
  .map(({ destination, options: rest }) => ({
    destination,
    type: 'overlay',
    source: 'overlay',
    options: [...rest, ...['lower', 'upper', 'work'].map((name) => `${name}dir=${bindSource(name)}`)],
  }));

export const mounts: fc.Arbitrary<Mount[]> = fc.array(
  fc.oneof(
    { weight: 16, arbitrary: tmpfs },
    { weight: 16, arbitrary: bind(['folder', 'tree', 'link'], FOLDER_PLACES) },
    { weight: 8, arbitrary: bind(['file', 'private'], FILE_PLACES) },
    { weight: 1, arbitrary: bind(['folder', 'missing'], FILE_PLACES) },
    { weight: 4, arbitrary: overlay },
  ),
  { minLength: 1, maxLength: 4, size: 'max' },
);

const DEVICES: readonly LinuxDevice[] = [
  { path: '/dev/one', type: 'c', major: 1, minor: 5, fileMode: 0o640, uid: 12, gid: 34 },
  { path: '/dev/deep/two', type: 'b', major: 7, minor: 0, fileMode: 0o600 },
  { path: '/dev/fifo', type: 'p', fileMode: 0o622 },
  { path: '/dev/unbuffered', type: 'u', major: 1, minor: 3 },
  { path: '/opt/device', type: 'c', major: 1, minor: 3, fileMode: 0o666 },
  { path: '/dev/null', type: 'c', major: 1, minor: 3, fileMode: 0o600, uid: 1000 },
  { path: '/dev/tty', type: 'c', major: 5, minor: 0, fileMode: 0o666 },
];

export const devices: fc.Arbitrary<LinuxDevice[]> = someOf(DEVICES);

const SYSCTLS: Readonly<Record<string, string>> = {
  'net.ipv4.ip_forward': '1',
  'kernel.shmmax': '1234567',
  'kernel.msgmax': '4321',
  'kernel.shm_rmid_forced': '1',
  'fs.mqueue.msg_max': '12',
  'net.ipv4.ip_unprivileged_port_start': '80',
  'net.ipv4.ping_group_range': '0 1000',
  'net/core/somaxconn': '77',
};

export const sysctls: fc.Arbitrary<Record<string, string>> = someOf(Object.keys(SYSCTLS), 1).map((names) =>
  Object.fromEntries(names.map((name) => [name, SYSCTLS[name]!])),
);

const KINDS = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const;

/** Writes its name, arguments, environment, folder and the state that it got into a log; in the container into a file. */
function hook(
  name: (typeof KINDS)[number],
  number: number,
  ending: number,
  env: readonly string[] | undefined,
): Hook {
  const log = name === 'startContainer' ? HOOKS : `${SIDE}/hooks`;
  const script = `{ echo "${name} ${number} $0 $*"; env | grep ^HOOK | sort; cat; echo; } >>${log}; exit ${ending}`;
  return {
    path: '/bin/sh',
    args: ['sh', '-c', script, 'zero', 'a b', ''],
    ...(env === undefined ? {} : { env: [...env] }),
    ...(number === 0 ? {} : { timeout: 60 }),
  };
}

const PATH = 'PATH=/usr/bin:/bin';

export const hooks: fc.Arbitrary<Hooks> = fc
  .array(
    fc.record({
      name: fc.constantFrom(...KINDS),
      ending: fc.oneof({ weight: 24, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(3) }),
      env: fc.constantFrom([PATH], [PATH, 'HOOK=1', 'HOOK_EMPTY=']),
    }),
    { minLength: 1, maxLength: 4, size: 'max' },
  )
  .map((list) => {
    const made: Partial<Record<string, Hook[]>> = {};
    for (const [number, { name, ending, env }] of list.entries()) {
      // A container that is ended for its poststart hook says more or less by chance.
      const end = name === 'poststart' ? 0 : ending;
      made[name] ??= [];
      made[name].push(hook(name, number, end, env));
    }
    return made as Hooks;
  });

const RULES: readonly NonNullable<LinuxSeccomp['syscalls']>[number][] = [
  { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' },
  { names: ['chmod', 'fchmodat'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
  { names: ['sync'], action: 'SCMP_ACT_KILL_PROCESS' },
  { names: ['sync', 'unknown_to_all'], action: 'SCMP_ACT_ERRNO', errnoRet: 5 },
  { names: ['unshare'], action: 'SCMP_ACT_TRAP' },
  { names: ['umount2'], action: 'SCMP_ACT_LOG' },
  {
    names: ['mknod', 'mknodat'],
    action: 'SCMP_ACT_ERRNO',
    args: [{ index: 1, value: 0, op: 'SCMP_CMP_NE' }],
  },
  {
    names: ['setpriority'],
    action: 'SCMP_ACT_ERRNO',
    errnoRet: 1,
    args: [{ index: 2, value: 5, op: 'SCMP_CMP_EQ' }],
  },
  {
    names: ['chown', 'fchownat', 'lchown'],
    action: 'SCMP_ACT_ERRNO',
    args: [{ index: 1, value: 4, valueTwo: 4, op: 'SCMP_CMP_MASKED_EQ' }],
  },
  { names: ['sethostname'], action: 'SCMP_ACT_KILL' },
];

export const seccomp: fc.Arbitrary<LinuxSeccomp> = fc
  .record({
    defaultAction: fc.constantFrom('SCMP_ACT_ALLOW' as const, 'SCMP_ACT_LOG' as const),
    syscalls: someOf(RULES),
    architectures: sometimes(50, fc.constant(['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'] as const)),
    flags: sometimes(30, someOf(['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'] as const)),
  })
  .map(({ architectures, flags, ...filter }) => ({
    ...filter,
    ...(architectures === undefined ? {} : { architectures: [...architectures] }),
    ...(flags === undefined ? {} : { flags }),
  })) as fc.Arbitrary<LinuxSeccomp>;
