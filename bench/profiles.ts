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

/** By the name that `--profile` takes. */
export const profiles: Readonly<Record<string, Profile>> = {
  default: runcDefault,
  bare,
  seccomp: withSeccomp,
};
