/**
 * The config that `spec` writes: a shell in the folder `rootfs`. The same as runc's, so that what is written for one runs with
 * the other.
 *
 * @module
 */

import type { Mount, Spec } from './types.ts';
import { SPEC_VERSION } from './warnings.ts';

export interface DefaultOptions {
  /** For an ordinary user: a user namespace of that one user, the host's network, no cgroup limits. */
  rootless?: boolean;
}

const CAPABILITIES = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'];

/** A new config; `rootless` maps the caller's own user and group to root. */
export function defaultSpec({ rootless = false }: DefaultOptions = {}): Spec {
  const spec: Spec = {
    ociVersion: SPEC_VERSION,
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ['sh'],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'],
      cwd: '/',
      capabilities: {
        bounding: [...CAPABILITIES],
        effective: [...CAPABILITIES],
        permitted: [...CAPABILITIES],
      },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'runts',
    mounts: mounts(rootless),
  };
  const masks = {
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
  };
  spec.linux = rootless
    ? {
        uidMappings: [{ containerID: 0, hostID: process.geteuid?.() ?? 0, size: 1 }],
        gidMappings: [{ containerID: 0, hostID: process.getegid?.() ?? 0, size: 1 }],
        namespaces: [
          { type: 'pid' },
          { type: 'ipc' },
          { type: 'uts' },
          { type: 'mount' },
          { type: 'cgroup' },
          { type: 'user' },
        ],
        ...masks,
      }
    : {
        resources: { devices: [{ allow: false, access: 'rwm' }] },
        namespaces: [
          { type: 'pid' },
          { type: 'network' },
          { type: 'ipc' },
          { type: 'uts' },
          { type: 'mount' },
          { type: 'cgroup' },
        ],
        ...masks,
      };
  return spec;
}

function mounts(rootless: boolean): Mount[] {
  const restricted = ['nosuid', 'noexec', 'nodev'];
  const pts = ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'];
  return [
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
      // Group tty (5) is not mapped for an ordinary user.
      options: rootless ? pts : [...pts, 'gid=5'],
    },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: [...restricted, 'mode=1777', 'size=65536k'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: [...restricted] },
    // A new sysfs needs a network namespace of one's own.
    rootless
      ? { destination: '/sys', type: 'none', source: '/sys', options: ['rbind', ...restricted, 'ro'] }
      : { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...restricted, 'ro'] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: [...restricted, 'relatime', 'ro'],
    },
  ];
}
