/**
 * Valid configs of the shapes that callers write, for tests and measurements.
 *
 * @module
 */
import type { LinuxNamespace, Spec } from './types.ts';

const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const namespaces = (...types: LinuxNamespace['type'][]): LinuxNamespace[] => types.map((type) => ({ type }));
const device = (major: number, minor: number, access = 'rwm') => ({
  allow: true,
  type: 'c' as const,
  major,
  minor,
  access,
});

/** The least that the specification allows on Linux. */
export function minimalSpec(): Spec {
  return { ociVersion: '1.0.0', root: { path: 'rootfs' } };
}

/** A process, a few namespaces. */
export function smallSpec(): Spec {
  return {
    ociVersion: '1.3.0',
    root: { path: 'rootfs' },
    process: { user: { uid: 0, gid: 0 }, cwd: '/', args: ['true'], env: [path] },
    hostname: 'small',
    mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
    linux: { namespaces: namespaces('pid', 'mount', 'uts', 'ipc', 'network') },
  };
}

/** What Docker writes for `docker run`: seccomp profile of `names` system calls, device rules, masks. */
export function dockerSpec(names = 400): Spec {
  const capabilities = [
    'CAP_CHOWN',
    'CAP_DAC_OVERRIDE',
    'CAP_FSETID',
    'CAP_FOWNER',
    'CAP_MKNOD',
    'CAP_NET_RAW',
    'CAP_SETGID',
    'CAP_SETUID',
    'CAP_SETFCAP',
    'CAP_SETPCAP',
    'CAP_NET_BIND_SERVICE',
    'CAP_SYS_CHROOT',
    'CAP_KILL',
    'CAP_AUDIT_WRITE',
  ];
  const common = ['nosuid', 'noexec', 'nodev'];
  const personality = (value: number) => ({
    names: ['personality'],
    action: 'SCMP_ACT_ALLOW' as const,
    args: [{ index: 0, value, op: 'SCMP_CMP_EQ' as const }],
  });
  return {
    ociVersion: '1.2.0',
    process: {
      user: { uid: 0, gid: 0, additionalGids: [0, 1, 2, 3, 4, 6, 10, 11, 20, 26, 27] },
      args: ['/docker-entrypoint.sh', 'nginx', '-g', 'daemon off;'],
      env: [path, 'HOSTNAME=0a1b2c3d4e5f', 'NGINX_VERSION=1.27.0', 'PKG_RELEASE=2'],
      cwd: '/',
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      apparmorProfile: 'docker-default',
      oomScoreAdj: 0,
      rlimits: [{ type: 'RLIMIT_NPROC', hard: 2 ** 64, soft: 2 ** 64 }],
    },
    root: { path: '/var/lib/docker/overlay2/0123456789abcdef/merged' },
    hostname: '0a1b2c3d4e5f',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: common },
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
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...common, 'ro'] },
      { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['ro', ...common] },
      { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: common },
      {
        destination: '/dev/shm',
        type: 'tmpfs',
        source: 'shm',
        options: [...common, 'mode=1777', 'size=67108864'],
      },
      ...['resolv.conf', 'hostname', 'hosts'].map((name) => ({
        destination: `/etc/${name}`,
        type: 'bind',
        source: `/var/lib/docker/containers/0a1b2c3d4e5f/${name}`,
        options: ['rbind', 'rprivate'],
      })),
    ],
    hooks: {
      prestart: [{ path: '/proc/1234/exe', args: ['libnetwork-setkey', '-exec-root=/var/run/docker', 'id'] }],
    },
    linux: {
      sysctl: { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' },
      resources: {
        devices: [
          { allow: false, access: 'rwm' },
          ...[3, 5, 7, 8, 9].map((minor) => device(1, minor)),
          device(5, 0),
          device(5, 1),
          { allow: false, type: 'c', major: 10, minor: 229, access: 'rwm' },
        ],
        memory: { limit: 536870912, reservation: 268435456, swap: 1073741824, disableOOMKiller: false },
        cpu: { shares: 512, quota: 50000, period: 100000, cpus: '0-1' },
        pids: { limit: 100 },
        blockIO: { weight: 0 },
      },
      cgroupsPath: '/docker/0a1b2c3d4e5f',
      namespaces: namespaces('mount', 'network', 'uts', 'pid', 'ipc', 'cgroup'),
      seccomp: {
        defaultAction: 'SCMP_ACT_ERRNO',
        defaultErrnoRet: 1,
        architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
        syscalls: [
          { names: Array.from({ length: names }, (_, i) => `syscall_number_${i}`), action: 'SCMP_ACT_ALLOW' },
          ...[0, 8, 131072, 131080, 4294967295].map(personality),
          {
            names: ['clone'],
            action: 'SCMP_ACT_ALLOW',
            args: [{ index: 0, value: 2114060288, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
          },
          { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
        ],
      },
      maskedPaths: ['/proc/asound', '/proc/acpi', '/proc/kcore', '/proc/keys', '/sys/firmware'],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  };
}

/** What containerd's CRI plugin writes for a pod's container: joined namespaces, hooks by NRI, cgroups by systemd. */
export function kubernetesSpec(): Spec {
  return {
    ociVersion: '1.2.1',
    process: {
      user: { uid: 1000, gid: 1000, additionalGids: [1000, 2000] },
      args: ['/app'],
      env: ['KUBERNETES_SERVICE_HOST=10.96.0.1', path],
      cwd: '/srv',
      capabilities: { bounding: ['CAP_NET_BIND_SERVICE'], ambient: [], inheritable: [] },
      noNewPrivileges: true,
      oomScoreAdj: 999,
    },
    root: { path: 'rootfs', readonly: true },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      {
        destination: '/data',
        type: 'bind',
        source: '/var/lib/kubelet/pods/uid/volumes/data',
        options: ['rbind', 'rslave', 'rro'],
        uidMappings: [{ containerID: 0, hostID: 65536, size: 65536 }],
        gidMappings: [{ containerID: 0, hostID: 65536, size: 65536 }],
      },
    ],
    annotations: { 'io.kubernetes.cri.container-type': 'container', 'io.kubernetes.cri.sandbox-id': 'abc' },
    linux: {
      uidMappings: [{ containerID: 0, hostID: 65536, size: 65536 }],
      gidMappings: [{ containerID: 0, hostID: 65536, size: 65536 }],
      resources: {
        devices: [{ allow: false, access: 'rwm' }],
        memory: { limit: 134217728, swap: 134217728 },
        cpu: { shares: 102, quota: 20000, period: 100000 },
        hugepageLimits: [
          { pageSize: '2MB', limit: 0 },
          { pageSize: '1GB', limit: 0 },
        ],
        unified: { 'memory.oom.group': '1' },
      },
      cgroupsPath: 'kubepods-burstable-poduid.slice:cri-containerd:abc',
      namespaces: [
        { type: 'pid' },
        { type: 'ipc', path: '/proc/4321/ns/ipc' },
        { type: 'uts', path: '/proc/4321/ns/uts' },
        { type: 'mount' },
        { type: 'network', path: '/proc/4321/ns/net' },
        { type: 'cgroup' },
        { type: 'user', path: '/proc/4321/ns/user' },
      ],
      maskedPaths: ['/proc/kcore'],
      readonlyPaths: ['/proc/sys'],
    },
  };
}

/** What rootless Podman writes, abridged. */
export function podmanSpec(): Spec {
  return {
    ociVersion: '1.0.2-dev',
    process: {
      terminal: true,
      consoleSize: { height: 0, width: 0 },
      user: { uid: 0, gid: 0, umask: 18, additionalGids: [0] },
      args: ['sh'],
      env: [path, 'TERM=xterm', 'container=podman', 'HOME=/root'],
      cwd: '/',
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 524288, soft: 524288 }],
      oomScoreAdj: 200,
    },
    root: { path: '/home/u/.local/share/containers/storage/overlay/x/merged' },
    hostname: '8a3ed1a5c2b4',
    mounts: [
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'noexec', 'mode=755'] },
      { destination: '/run/.containerenv', type: 'bind', source: '/run/user/1000/c', options: ['bind'] },
    ],
    annotations: { 'run.oci.keep_original_groups': '1' },
    linux: {
      sysctl: { 'net.ipv4.ping_group_range': '0 0' },
      resources: { pids: { limit: 2048 } },
      cgroupsPath: 'user.slice:libpod:8a3ed1a5c2b4',
      namespaces: namespaces('pid', 'network', 'ipc', 'uts', 'mount', 'cgroup', 'user'),
      uidMappings: [
        { containerID: 0, hostID: 1000, size: 1 },
        { containerID: 1, hostID: 100000, size: 65536 },
      ],
      gidMappings: [
        { containerID: 0, hostID: 1000, size: 1 },
        { containerID: 1, hostID: 100000, size: 65536 },
      ],
      rootfsPropagation: 'rslave',
    },
  };
}
