/**
 * Random configs that runts, runc and crun should all understand: fast-check draws the features, and makes them few again
 * when a config fails.
 *
 * Features that contradict each other are left out when the config is put together, so that most containers come up.
 *
 * @module
 */
import { resolve } from 'node:path';
import fc from 'fast-check';
import type { User } from '../../src/spec/types.ts';
import { baseConfig, type TestSpec } from '../../test/harness/config.ts';
import {
  CAPABILITIES,
  capabilities,
  devices,
  hooks,
  limits,
  mapping,
  mounts,
  namespaces,
  seccomp,
  someOf,
  sometimes,
  sysctls,
} from './features.ts';
import { PROBE } from './probe.ts';

/** Where paths of `maskedPaths` and `readonlyPaths` point. */
const PATHS = [
  ...['/proc/kcore', '/proc/keys', '/sys/firmware', '/proc/sys', '/proc/irq', '/proc/sysrq-trigger'],
  ...['/opt/file', '/opt/folder', '/opt/up/etc', '/link', '/tmp', '/not/there', '/etc/passwd', '/mnt/a'],
];

const USER = fc.record({
  uid: fc.constantFrom(0, 1000, 1, 65_534, 70_000),
  gid: fc.constantFrom(0, 1000, 5, 65_534),
  additionalGids: sometimes(30, someOf([5, 7, 0, 1000, 1001, 65_534])),
  umask: sometimes(25, fc.constantFrom(0o22, 0, 0o77, 0o777, 0o27)),
});

const PROPAGATIONS = [
  ...(['rprivate', 'private', 'rslave', 'slave', 'rshared', 'shared', 'runbindable', 'unbindable'] as const),
];

/** Mounts that engines always give, and that may be left out. /proc stays: what looks needs it. */
const USUAL = ['/dev', '/dev/pts', '/dev/shm', '/dev/mqueue', '/sys'];

const FEATURES = fc.record({
  namespaces,
  mapping: sometimes(20, mapping),
  user: sometimes(45, USER),
  env: sometimes(
    40,
    someOf(['HOME=', 'HOME=/nowhere', 'A=1', 'A=2', 'EMPTY=', 'SPACE=a b', 'Ü=ü', 'PATH=/usr/bin:/bin']),
  ),
  cwd: sometimes(35, fc.constantFrom('/tmp', '/home/user', '/made/here', '/link', '/opt/up', '/root')),
  program: sometimes(
    10,
    fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom('/bin/sh', '/link/../../bin/sh') },
      { weight: 1, arbitrary: fc.constantFrom('/opt/program', 'missing', '/opt') },
    ),
  ),
  code: fc.constantFrom(0, 1, 42, 255),
  tries: fc.boolean(),
  capabilities: sometimes(60, capabilities),
  limits: sometimes(25, limits),
  oomScoreAdj: sometimes(20, fc.constantFrom(0, 1, 500, 1000)),
  noNewPrivileges: fc.constantFrom(true, false, undefined),
  readonly: sometimes(20, fc.constant(true)),
  propagation: sometimes(25, fc.constantFrom(...PROPAGATIONS)),
  hostname: sometimes(40, fc.constantFrom('box', 'a-name', 'with.dots', 'x'.repeat(64))),
  domainname: sometimes(10, fc.constantFrom('example', 'with.dots')),
  without: sometimes(15, someOf(USUAL)),
  proc: sometimes(10, someOf(['nosuid', 'nodev', 'noexec', 'ro', 'hidepid=2'])),
  cgroup: sometimes(15, someOf(['ro', 'nosuid', 'noexec', 'nodev', 'relatime'])),
  mounts: sometimes(65, mounts),
  masked: sometimes(40, someOf(PATHS)),
  readonlyPaths: sometimes(40, someOf(PATHS)),
  devices: sometimes(20, devices),
  sysctls: sometimes(20, sysctls),
  hooks: sometimes(20, hooks),
  annotations: sometimes(
    10,
    fc.constantFrom<Record<string, string>[]>({}, { 'org.example.a': 'a value', empty: '' }),
  ),
  seccomp: sometimes(20, seccomp),
});

type Features = typeof FEATURES extends fc.Arbitrary<infer T> ? T : never;

/** Configs; each side puts its own paths into them. */
export const CONFIG: fc.Arbitrary<TestSpec> = FEATURES.map(build);

function build(features: Features): TestSpec {
  const spec = baseConfig();
  // What a config sets in a namespace that others join would stay.
  const has = (type: string): boolean =>
    spec.linux.namespaces.some((one) => one.type === type && one.path === undefined);
  setNamespaces(spec, features);
  setProcess(spec, features);
  spec.root.readonly = features.readonly;
  delete spec.hostname;
  if (has('uts')) spec.hostname = features.hostname;
  if (has('uts')) spec.domainname = features.domainname;
  spec.linux.rootfsPropagation = features.propagation;
  setMounts(spec, features);
  spec.linux.maskedPaths = features.masked;
  spec.linux.readonlyPaths = features.readonlyPaths;
  spec.linux.devices = features.devices;
  spec.linux.seccomp = features.seccomp;
  spec.hooks = features.hooks;
  spec.annotations = features.annotations;
  const allowed = Object.entries(features.sysctls ?? {}).filter(
    ([name]) => (has('network') && /^net/.test(name)) || (has('ipc') && !/^net/.test(name)),
  );
  if (allowed.length > 0) spec.linux.sysctl = Object.fromEntries(allowed);
  const places = [
    ...spec.mounts.map(({ destination }) => destination),
    ...(features.masked ?? []),
    ...(features.readonlyPaths ?? []),
    ...(spec.linux.devices ?? []).map(({ path }) => path),
  ]
    .map((path) => resolve('/', path))
    .filter((path) => !/^\/(proc|sys|dev|dev\/pts|dev\/mqueue|sys\/fs\/cgroup)$/.test(path));
  const { program = 'sh', code, tries } = features;
  spec.process.args = [program, '-c', PROBE, 'probe', String(code), tries ? '1' : '0', ...new Set(places)];
  // Without what is undefined.
  return JSON.parse(JSON.stringify(spec)) as TestSpec;
}

function setNamespaces(spec: TestSpec, { namespaces: kinds, mapping: map }: Features): void {
  const own = map !== undefined;
  spec.linux.namespaces = [{ type: 'mount' }];
  for (const [type, kind] of Object.entries(kinds)) {
    // What a container's own user namespace doesn't own can't be configured from inside of it.
    if (own || kind === 'new') spec.linux.namespaces.push({ type: type as 'pid' });
    else if (kind === 'path') spec.linux.namespaces.push({ type: type as 'pid', path: `@NS@/${type}` });
  }
  if (!own) return;
  spec.linux.namespaces.push({ type: 'user' });
  spec.linux.uidMappings = map;
  spec.linux.gidMappings = map;
}

/** Ids that are not mapped are an error under every runtime. */
function mapped(user: User, mappings: Features['mapping']): User {
  if (mappings === undefined) return user;
  const end = Math.max(...mappings.map(({ containerID, size }) => containerID + size));
  const id = (given: number): number => (given < end ? given : 1000);
  const additionalGids = user.additionalGids?.filter((gid) => gid < end);
  return { ...user, uid: id(user.uid), gid: id(user.gid), additionalGids };
}

function setProcess(spec: TestSpec, features: Features): void {
  const { process } = spec;
  if (features.user !== undefined) process.user = mapped(features.user, features.mapping);
  process.env.push(...(features.env ?? []));
  process.cwd = features.cwd ?? '/';
  if (features.capabilities !== undefined) process.capabilities = features.capabilities;
  else process.capabilities = { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES };
  process.rlimits = features.limits;
  process.oomScoreAdj = features.oomScoreAdj;
  process.noNewPrivileges = features.noNewPrivileges;
}

function setMounts(spec: TestSpec, features: Features): void {
  const left = features.without ?? [];
  const has = (type: string): boolean => spec.linux.namespaces.some((one) => one.type === type);
  spec.mounts = spec.mounts.filter(({ destination }) => {
    if (destination === '/dev/mqueue' && !has('ipc')) return false;
    if (left.includes(destination)) return false;
    return !(left.includes('/dev') && destination.startsWith('/dev/'));
  });
  for (const mount of spec.mounts) {
    if (mount.destination === '/proc' && features.proc !== undefined) mount.options = features.proc;
  }
  if (features.cgroup !== undefined && spec.mounts.some(({ destination }) => destination === '/sys')) {
    const options = features.cgroup;
    spec.mounts.push({ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options });
  }
  spec.mounts.push(...(features.mounts ?? []));
}
