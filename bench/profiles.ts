/**
 * The configurations that are measured. All runtimes get the same file.
 *
 * @module
 */

import { readFileSync } from 'node:fs';

/** A config.json; only what the bench itself sets is typed. */
export interface BenchConfig {
  ociVersion: string;
  root: { path: string; readonly: boolean };
  process: { args: string[]; [key: string]: unknown };
  linux: { cgroupsPath: string; [key: string]: unknown };
  [key: string]: unknown;
}

/** What differs between the containers of one profile. */
export interface ContainerFacts {
  /** Absolute path of the root file system. */
  rootfs: string;
  args: string[];
  /** Absolute path in the cgroup hierarchy. */
  cgroupsPath: string;
  /** A folder for files that are mounted. */
  files: string;
  /** Controllers that the hierarchy offers: limits of others would be errors. */
  controllers: ReadonlySet<string>;
}

/** Makes the config.json of one container. */
export type Profile = (facts: ContainerFacts) => BenchConfig;

const environment = ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'];

/** The least that all runtimes accept: two namespaces and /proc. */
const bare: Profile = ({ rootfs, args, cgroupsPath }) => ({
  // crun before 1.9 accepts only versions that contain "1.0".
  ociVersion: '1.0.2',
  root: { path: rootfs, readonly: false },
  process: { terminal: false, user: { uid: 0, gid: 0 }, args, env: environment, cwd: '/' },
  mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
  linux: { cgroupsPath, namespaces: [{ type: 'pid' }, { type: 'mount' }] },
});

/**
 * What `runc spec` writes on a cgroup v2 host, without a terminal, and without `linux.resources.devices`: with it, crun
 * before 1.9 raises RLIMIT_MEMLOCK to load its device program, which a host without CAP_SYS_RESOURCE refuses.
 */
const runcDefault: Profile = ({ rootfs, args, cgroupsPath }) => {
  const capabilities = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'];
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args,
      env: environment,
      cwd: '/',
      capabilities: {
        bounding: capabilities,
        effective: capabilities,
        permitted: capabilities,
        ambient: capabilities,
      },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: rootfs, readonly: true },
    hostname: 'bench',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      {
        destination: '/dev',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
      },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
      },
      {
        destination: '/dev/shm',
        type: 'tmpfs',
        source: 'shm',
        options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
      },
      {
        destination: '/dev/mqueue',
        type: 'mqueue',
        source: 'mqueue',
        options: ['nosuid', 'noexec', 'nodev'],
      },
      {
        destination: '/sys',
        type: 'sysfs',
        source: 'sysfs',
        options: ['nosuid', 'noexec', 'nodev', 'ro'],
      },
      {
        destination: '/sys/fs/cgroup',
        type: 'cgroup',
        source: 'cgroup',
        options: ['nosuid', 'noexec', 'nodev', 'relatime', 'ro'],
      },
    ],
    linux: {
      cgroupsPath,
      namespaces: ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
      maskedPaths: [
        '/proc/acpi',
        '/proc/asound',
        '/proc/kcore',
        '/proc/keys',
        '/proc/latency_stats',
        '/proc/timer_list',
        '/proc/timer_stats',
        '/proc/sched_debug',
        '/sys/firmware',
        '/proc/scsi',
      ],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  };
};

/** The default profile with a system call filter like Docker's, about 370 calls for three architectures. */
const withSeccomp: Profile = (facts) => {
  const config = runcDefault(facts);
  const file = new URL('../src/seccomp/fixtures/docker-default.json', import.meta.url);
  config.linux.seccomp = JSON.parse(readFileSync(file, 'utf8'));
  return config;
};

/** Mounts of a container of Docker's, Docker's own included. */
const DOCKER_MOUNTS = 30;

/**
 * What Docker writes for a container with volumes and limits: 30 mounts, its default capabilities and masks, its default
 * filter, `--memory --cpus --pids-limit`. Limits whose controller the hierarchy lacks are left out; device rules, as above.
 */
const docker: Profile = (facts) => {
  const config = withSeccomp(facts);
  const capabilities = [
    ...['CHOWN', 'DAC_OVERRIDE', 'FSETID', 'FOWNER', 'MKNOD', 'NET_RAW', 'SETGID', 'SETUID', 'SETFCAP'],
    ...['SETPCAP', 'NET_BIND_SERVICE', 'SYS_CHROOT', 'KILL', 'AUDIT_WRITE'],
  ].map((name) => `CAP_${name}`);
  config.process = {
    ...config.process,
    cwd: '/',
    env: [...environment.slice(0, 1), 'HOSTNAME=0123456789ab'],
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    // Only lower ones than the bench's own: raising them takes a right that not every root has.
    rlimits: [
      { type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 },
      { type: 'RLIMIT_CORE', hard: 0, soft: 0 },
      { type: 'RLIMIT_MEMLOCK', hard: 65536, soft: 65536 },
    ],
    noNewPrivileges: false,
    oomScoreAdj: 0,
  };
  config.root.readonly = false;
  const own = config.mounts as unknown[];
  const bind = (name: string, destination: string): object => ({
    destination,
    type: 'bind',
    source: `${facts.files}/${name}`,
    options: ['rbind', 'rprivate'],
  });
  const files = ['hostname', 'hosts', 'resolv.conf'].map((name) => bind(name, `/etc/${name}`));
  const volumes = Array.from({ length: DOCKER_MOUNTS - own.length - files.length }, (_, i) =>
    bind('volume', `/m/${i}`),
  );
  config.mounts = [...own, ...files, ...volumes];
  config.linux.sysctl = { 'net.ipv4.ip_unprivileged_port_start': '0' };
  config.linux.resources = {
    ...(facts.controllers.has('memory') && { memory: { limit: 512 << 20, swap: 1 << 30 } }),
    ...(facts.controllers.has('cpu') && { cpu: { shares: 1024, quota: 150000, period: 100000 } }),
    ...(facts.controllers.has('pids') && { pids: { limit: 1000 } }),
  };
  (config.linux.maskedPaths as string[]).push(
    '/proc/interrupts',
    '/sys/devices/virtual/powercap',
    '/sys/devices/system/cpu/cpu0/thermal_throttle',
  );
  return config;
};

/** Controllers that the profile `docker` has limits of. */
export const LIMITED = ['memory', 'cpu', 'pids'] as const;

/** The least, and so many mounts of one folder. */
function withMounts(count: number): Profile {
  return (facts) => {
    const config = bare(facts);
    const mounts = Array.from({ length: count }, (_, i) => ({
      destination: `/m/${i}`,
      type: 'bind',
      source: `${facts.files}/volume`,
      options: ['bind', 'nosuid'],
    }));
    config.mounts = [...(config.mounts as unknown[]), ...mounts];
    return config;
  };
}

/** By the name that `--profile` takes. */
const profiles: Readonly<Record<string, Profile>> = {
  default: runcDefault,
  docker,
  bare,
  seccomp: withSeccomp,
};

/**
 * A figure that grows: what is counted, and how many there are. It stands where a profile's name does, `mounts=100`.
 */
export interface Growth {
  what: 'mounts' | 'others';
  count: number;
}

/** The growth that a profile's name stands for, if it does. */
export function growthOf(profile: string): Growth | undefined {
  const match = /^(mounts|others)=(\d+)$/.exec(profile);
  return match === null ? undefined : { what: match[1] as Growth['what'], count: Number(match[2]) };
}

/** The name of a growth. */
export function growthName({ what, count }: Growth): string {
  return `${what}=${count}`;
}

/**
 * The profile of that name.
 *
 * @throws Error when there is none
 */
export function findProfile(name: string): Profile {
  const growth = growthOf(name);
  if (growth !== undefined) return growth.what === 'mounts' ? withMounts(growth.count) : runcDefault;
  const profile = profiles[name];
  if (profile !== undefined) return profile;
  throw new Error(`--profile: no profile "${name}"; there are ${Object.keys(profiles).join(', ')}`);
}
