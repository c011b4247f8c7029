/**
 * What usually helps, by system call and errno. One table: a failure that users meet twice gets a line here.
 *
 * @module
 */

import type { Op } from '../../ffi/program.ts';

/** What is wrong when a container's namespaces can't be joined. */
export const JOINING_NEEDS =
  'joining needs CAP_SYS_ADMIN in the namespace’s user namespace; an ordinary user can’t join a container that is not started yet';

/** Field prefix with `[]` for an index (or empty), system call (or empty), errno, remedy. The first match counts. */
const REMEDIES: readonly (readonly [field: string, syscall: string, errno: string, remedy: string])[] = [
  ['process.terminal', 'openat2', 'ENOENT', 'a terminal needs a devpts mounted at /dev/pts'],
  ['process.terminal', 'ioctl', 'EPERM', 'the terminal is the controlling terminal of another session'],
  ['process.terminal', 'fchown', 'EINVAL', 'process.user.uid is not mapped in linux.uidMappings'],
  [
    'process.capabilities',
    'capset',
    'EPERM',
    'the runtime itself lacks one of these capabilities: see CapPrm in /proc/self/status',
  ],
  ['process.capabilities.bounding', 'prctl', 'EPERM', 'the runtime lacks CAP_SETPCAP'],
  [
    'process.rlimits',
    'prlimit64',
    'EPERM',
    'raising a hard limit needs CAP_SYS_RESOURCE, or a limit at most the runtime’s own; RLIMIT_NOFILE is at most /proc/sys/fs/nr_open for everyone',
  ],
  ['process.oomScoreAdj', 'write', 'EACCES', 'lowering the score needs CAP_SYS_RESOURCE'],
  ['process.user', 'setresuid', 'EINVAL', 'the id is not mapped in linux.uidMappings'],
  ['process.user', 'setresgid', 'EINVAL', 'the id is not mapped in linux.gidMappings'],
  ['process.user', 'setgroups', 'EINVAL', 'a group is not mapped in linux.gidMappings'],
  ['process.user', 'setgroups', 'EPERM', 'additional groups need a gid mapping made by root'],
  ['process.cwd', 'chdir', 'EACCES', 'the container’s user may not enter the folder'],
  ['process.cwd', '', 'ENOENT', 'the working directory must exist, inside the rootfs'],
  ['process.cwd', 'openat2', 'ELOOP', 'the working directory must lie inside the rootfs'],
  ['process.cwd', '', 'ENOTDIR', 'a component of the path is a file'],
  [
    'root.path',
    'open_tree',
    'EACCES',
    'the root of the user namespace needs search permission on every folder above',
  ],
  [
    'mounts',
    'open_tree',
    'EACCES',
    'the root of the user namespace needs search permission on every folder above',
  ],
  ['root.path', 'pivot_root', 'EINVAL', 'the host’s root is an initramfs or shared: try --no-pivot'],
  ['linux.namespaces', 'setns', 'EINVAL', 'the path is a namespace of another type, or none'],
  ['linux.namespaces', 'setns', 'EPERM', JOINING_NEEDS],
  ['linux.namespaces', 'openat', 'ENOENT', 'the namespace to join is gone'],
  [
    'linux.namespaces',
    'clone3',
    'ENOSPC',
    'the limit of namespaces is reached: see /proc/sys/user/max_*_namespaces',
  ],
  ['linux.namespaces', 'clone3', 'EPERM', 'making namespaces needs root, or a user namespace in the config'],
  [
    'linux.namespaces',
    'clone3',
    'EAGAIN',
    'the limit of processes is reached: see RLIMIT_NPROC and pids.max',
  ],
  [
    'linux.uidMappings',
    'unshare',
    'EPERM',
    'user namespaces are disabled: see /proc/sys/kernel/unprivileged_userns_clone',
  ],
  ['linux.uidMappings', 'unshare', 'ENOSPC', 'see /proc/sys/user/max_user_namespaces'],
  ['linux.namespaces', 'unshare', 'EINVAL', 'the kernel has no namespaces of this type'],
  ['linux.timeOffsets', 'openat', 'ENOENT', 'the kernel has no time namespaces: CONFIG_TIME_NS, Linux 5.6'],
  ['linux.timeOffsets', 'write', 'EPERM', 'setting clocks apart needs CAP_SYS_TIME'],
  ['linux.timeOffsets', 'write', 'EACCES', 'setting clocks apart needs CAP_SYS_TIME'],
  [
    'linux.timeOffsets',
    'write',
    'ERANGE',
    'the clock would be negative, or beyond what the kernel can count',
  ],
  [
    'process.execCPUAffinity',
    'sched_setaffinity',
    'EINVAL',
    'none of these processors is there and allowed: see cpuset.cpus.effective of the cgroup',
  ],
  [
    'process.scheduler',
    'sched_setattr',
    'EPERM',
    'needs CAP_SYS_NICE, or RLIMIT_RTPRIO and RLIMIT_NICE of the runtime',
  ],
  [
    'process.scheduler',
    'sched_setattr',
    'EBUSY',
    'the machine has not as much processor time left for SCHED_DEADLINE: see /proc/sys/kernel/sched_rt_runtime_us',
  ],
  [
    'process.scheduler',
    'sched_setattr',
    'EINVAL',
    'the kernel lacks this policy (as it does SCHED_ISO) or flag, or refuses the times: a SCHED_DEADLINE period lies within /proc/sys/kernel/sched_deadline_period_{min,max}_us',
  ],
  [
    'process.scheduler',
    'sched_setattr',
    'EOPNOTSUPP',
    'the kernel has no utilization clamps: CONFIG_UCLAMP_TASK',
  ],
  ['process.ioPriority', 'ioprio_set', 'EPERM', 'IOPRIO_CLASS_RT needs CAP_SYS_NICE or CAP_SYS_ADMIN'],
  [
    'linux.memoryPolicy',
    'set_mempolicy',
    'EINVAL',
    'a node is not there or not allowed (see /sys/devices/system/node/has_memory and cpuset.mems.effective of the cgroup), or the kernel is older than the mode',
  ],
  ['linux.memoryPolicy', 'set_mempolicy', 'ENOSYS', 'the kernel has no NUMA support'],
  ['process.apparmorProfile', 'write', 'ENOENT', 'the profile is not loaded: apparmor_parser --replace FILE'],
  [
    'process.apparmorProfile',
    'write',
    'EACCES',
    'the runtime is confined itself, and may not change to this profile',
  ],
  ['process.selinuxLabel', 'write', 'EINVAL', 'the policy has no such label'],
  ['process.selinuxLabel', 'write', 'EACCES', 'the policy doesn’t let the runtime set this label'],
  [
    '',
    'keyctl',
    'EDQUOT',
    'too many keys: see /proc/key-users and /proc/sys/kernel/keys; or give --no-new-keyring',
  ],
  ['', 'keyctl', 'EPERM', 'a seccomp filter around the runtime forbids it: give --no-new-keyring'],
  ['linux.sysctl', 'openat', 'ENOENT', 'this kernel has no such sysctl'],
  ['linux.sysctl', 'write', 'EINVAL', 'the kernel refuses this value'],
  ['linux.sysctl', 'openat', 'EACCES', 'the sysctl is not writable in this namespace'],
  [
    'linux.seccomp',
    'seccomp',
    'EINVAL',
    'the kernel doesn’t know one of linux.seccomp.flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs Linux 5.19',
  ],
  ['linux.seccomp', 'seccomp', 'EACCES', 'set process.noNewPrivileges, or run with CAP_SYS_ADMIN'],
  [
    'linux.seccomp',
    'seccomp',
    'EBUSY',
    'a filter with SCMP_ACT_NOTIFY is already in force here, and there can be only one',
  ],
  ['linux.devices', 'mknodat', 'EPERM', 'making device nodes needs CAP_MKNOD'],
  ['mounts', 'open_tree', 'ENOENT', 'the source does not exist on the host'],
  [
    'mounts',
    'open_tree',
    'EINVAL',
    'the source is unbindable, or on a mount that this namespace doesn’t own',
  ],
  ['mounts', 'openat2', 'ELOOP', 'the destination must not be a symlink'],
  [
    'mounts',
    'openat2',
    'ENOTDIR',
    'a folder can only be mounted on a folder, and a component of the destination is a file',
  ],
  [
    'mounts',
    'mkdirat',
    'EROFS',
    'the destination does not exist and the rootfs is read-only: make it in the image',
  ],
  [
    'mounts',
    'mknodat',
    'EROFS',
    'the destination does not exist and the rootfs is read-only: make it in the image',
  ],
  [
    'mounts',
    'mkdirat',
    'EACCES',
    'the destination does not exist and the container’s root may not make it: the rootfs is not its own',
  ],
  ['mounts', 'mkdirat', 'EPERM', 'the destination does not exist and can’t be made on that file system'],
  ['mounts', 'mkdirat', 'ENOENT', 'the destination does not exist and can’t be made on that file system'],
  ['mounts', 'move_mount', 'ENOTDIR', 'a folder can only be mounted on a folder, a file on a file'],
  [
    'mounts',
    'move_mount',
    'EINVAL',
    'not a directory on one side: a folder can only be mounted on a folder, a file on a file',
  ],
  [
    'mounts[].source',
    'open_tree',
    'EPERM',
    'only root of the host can bring the host’s files into a container that is there',
  ],
  ['mounts', 'umount2', 'EPERM', 'it came with the container, and can’t be removed in a user namespace'],
  ['mounts', 'mount', 'ENODEV', 'the kernel does not know this type of file system'],
  ['mounts', 'mount', 'ENOENT', 'the source, or a path among the options, does not exist'],
  ['mounts[].destination', 'openat2', 'ENOENT', 'nothing is mounted there: see /proc/PID/mountinfo'],
  ['mounts', 'openat2', 'ENOENT', 'the destination does not exist and can’t be made on that file system'],
  ['mounts', 'mount', 'EINVAL', 'the file system refuses one of the options: see dmesg'],
  ['mounts', 'mount', 'EPERM', 'not allowed in this user namespace'],
  ['mounts', 'fsconfig', 'EINVAL', 'the file system refuses the option, or its value'],
  [
    'mounts[].uidMappings',
    'mount_setattr',
    'EPERM',
    'mapping ids needs CAP_SYS_ADMIN over the file system: root of the host for the host’s files',
  ],
  [
    'mounts[].uidMappings',
    'mount_setattr',
    'EINVAL',
    'the file system can’t map ids, or the mount has a mapping already',
  ],
  [
    'mounts',
    'mount_setattr',
    'EPERM',
    'the source has this option locked: it can’t be cleared in a user namespace',
  ],
  ['', '', 'ENAMETOOLONG', 'a path has at most 4095 bytes, and each name in it 255'],
  ['', 'mount_setattr', 'ENOSYS', 'needs Linux 5.12'],
  ['', 'openat2', 'ENOSYS', 'needs Linux 5.6'],
  ['', '', 'ENOMEM', 'out of memory: see memory.max of the container’s cgroup and dmesg'],
];

/** A remedy for a failed operation, if one is known. */
export function remedy(op: Op, errno: string): string | undefined {
  const field = (op.field ?? '').replace(/\[\d+\]/g, '[]');
  const syscall = op.kind === 'syscall' ? op.name : '';
  return REMEDIES.find(([f, s, e]) => field.startsWith(f) && (s === '' || s === syscall) && e === errno)?.[3];
}
