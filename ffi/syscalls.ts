/**
 * The system calls that runts makes: numbers per architecture and parameter types, each in one place.
 *
 * Both transports use this table: local.ts calls them in this process through libc's syscall(2), and the assembler
 * records them on a tape for the executor. Numbers: Linux 6.x, arch/x86/entry/syscalls/syscall_64.tbl and
 * include/uapi/asm-generic/unistd.h. Parameters: section 2 of the manual pages.
 *
 * @module
 */

import type { Arg } from './program.ts';

/**
 * What a parameter is, which decides how it is passed and printed.
 *
 * - `fd`, `int`, `pid`, `size`, `signal`: a number; `fd` prints AT_FDCWD by name
 * - `mode`: permission bits, printed in octal
 * - `dev`: a device number as makedev(3) gives it
 * - `string`: the address of a NUL-terminated string
 * - `pointer`: the address of a structure or buffer
 * - anything else names a set of constants in constants/
 */
export type ParameterType =
  | 'fd'
  | 'int'
  | 'pid'
  | 'size'
  | 'signal'
  | 'mode'
  | 'dev'
  | 'string'
  | 'pointer'
  | { readonly constants: string };

export interface Syscall {
  /** Number on x86-64; -1 where the architecture lacks it. */
  readonly x64: number;
  /** Number on aarch64. */
  readonly arm64: number;
  readonly parameters: Readonly<Record<string, ParameterType>>;
}

const set = (constants: string): { readonly constants: string } => ({ constants });

export const SYSCALLS = {
  read: { x64: 0, arm64: 63, parameters: { fd: 'fd', buffer: 'pointer', count: 'size' } },
  write: { x64: 1, arm64: 64, parameters: { fd: 'fd', buffer: 'pointer', count: 'size' } },
  close: { x64: 3, arm64: 57, parameters: { fd: 'fd' } },
  fstat: { x64: 5, arm64: 80, parameters: { fd: 'fd', stat: 'pointer' } },
  lseek: { x64: 8, arm64: 62, parameters: { fd: 'fd', offset: 'int', whence: set('seek') } },
  ppoll: {
    x64: 271,
    arm64: 73,
    parameters: { fds: 'pointer', count: 'size', timeout: 'pointer', mask: 'pointer', maskSize: 'size' },
  },
  rt_sigaction: {
    x64: 13,
    arm64: 134,
    parameters: { signal: 'signal', action: 'pointer', old: 'pointer', maskSize: 'size' },
  },
  rt_sigprocmask: {
    x64: 14,
    arm64: 135,
    parameters: { how: set('sigprocmask'), set: 'pointer', old: 'pointer', maskSize: 'size' },
  },
  ioctl: { x64: 16, arm64: 29, parameters: { fd: 'fd', request: set('ioctl'), argument: 'pointer' } },
  getpid: { x64: 39, arm64: 172, parameters: {} },
  getcwd: { x64: 79, arm64: 17, parameters: { buffer: 'pointer', size: 'size' } },
  getuid: { x64: 102, arm64: 174, parameters: {} },
  getgid: { x64: 104, arm64: 176, parameters: {} },
  geteuid: { x64: 107, arm64: 175, parameters: {} },
  getegid: { x64: 108, arm64: 177, parameters: {} },
  sendfile: {
    x64: 40,
    arm64: 71,
    parameters: { to: 'fd', from: 'fd', offset: 'pointer', count: 'size' },
  },
  socket: { x64: 41, arm64: 198, parameters: { domain: set('af'), type: set('sock'), protocol: 'int' } },
  bind: { x64: 49, arm64: 200, parameters: { fd: 'fd', address: 'pointer', length: 'size' } },
  listen: { x64: 50, arm64: 201, parameters: { fd: 'fd', backlog: 'int' } },
  accept4: {
    x64: 288,
    arm64: 242,
    parameters: { fd: 'fd', address: 'pointer', length: 'pointer', flags: set('sock') },
  },
  connect: { x64: 42, arm64: 203, parameters: { fd: 'fd', address: 'pointer', length: 'size' } },
  pwrite64: {
    x64: 18,
    arm64: 68,
    parameters: { fd: 'fd', buffer: 'pointer', count: 'size', offset: 'int' },
  },
  clock_gettime: { x64: 228, arm64: 113, parameters: { clock: 'int', time: 'pointer' } },
  sendmsg: { x64: 46, arm64: 211, parameters: { fd: 'fd', message: 'pointer', flags: set('msg') } },
  recvmsg: { x64: 47, arm64: 212, parameters: { fd: 'fd', message: 'pointer', flags: set('msg') } },
  socketpair: {
    x64: 53,
    arm64: 199,
    parameters: { domain: set('af'), type: set('sock'), protocol: 'int', pair: 'pointer' },
  },
  setsockopt: {
    x64: 54,
    arm64: 208,
    parameters: { fd: 'fd', level: 'int', option: 'int', value: 'pointer', length: 'size' },
  },
  execve: { x64: 59, arm64: 221, parameters: { path: 'string', argv: 'pointer', envp: 'pointer' } },
  kill: { x64: 62, arm64: 129, parameters: { pid: 'pid', signal: 'signal' } },
  fcntl: { x64: 72, arm64: 25, parameters: { fd: 'fd', command: set('fcntl'), argument: 'int' } },
  flock: { x64: 73, arm64: 32, parameters: { fd: 'fd', operation: set('flock') } },
  chdir: { x64: 80, arm64: 49, parameters: { path: 'string' } },
  fchdir: { x64: 81, arm64: 50, parameters: { fd: 'fd' } },
  fchmod: { x64: 91, arm64: 52, parameters: { fd: 'fd', mode: 'mode' } },
  fchown: { x64: 93, arm64: 55, parameters: { fd: 'fd', uid: 'int', gid: 'int' } },
  umask: { x64: 95, arm64: 166, parameters: { mask: 'mode' } },
  setuid: { x64: 105, arm64: 146, parameters: { uid: 'int' } },
  setgid: { x64: 106, arm64: 144, parameters: { gid: 'int' } },
  setsid: { x64: 112, arm64: 157, parameters: {} },
  setgroups: { x64: 116, arm64: 159, parameters: { count: 'size', groups: 'pointer' } },
  setresuid: { x64: 117, arm64: 147, parameters: { real: 'int', effective: 'int', saved: 'int' } },
  setresgid: { x64: 119, arm64: 149, parameters: { real: 'int', effective: 'int', saved: 'int' } },
  capset: { x64: 126, arm64: 91, parameters: { header: 'pointer', data: 'pointer' } },
  personality: { x64: 135, arm64: 92, parameters: { persona: set('personality') } },
  fstatfs: { x64: 138, arm64: 44, parameters: { fd: 'fd', statfs: 'pointer' } },
  sched_setattr: { x64: 314, arm64: 274, parameters: { pid: 'pid', attributes: 'pointer', flags: 'int' } },
  sched_setaffinity: { x64: 203, arm64: 122, parameters: { pid: 'pid', size: 'size', mask: 'pointer' } },
  pivot_root: { x64: 155, arm64: 41, parameters: { newRoot: 'string', putOld: 'string' } },
  prctl: {
    x64: 157,
    arm64: 167,
    parameters: { option: set('prctl'), arg2: 'int', arg3: 'int', arg4: 'int', arg5: 'int' },
  },
  chroot: { x64: 161, arm64: 51, parameters: { path: 'string' } },
  mount: {
    x64: 165,
    arm64: 40,
    parameters: { source: 'string', target: 'string', type: 'string', flags: set('mount'), data: 'string' },
  },
  umount2: { x64: 166, arm64: 39, parameters: { target: 'string', flags: set('umount') } },
  sethostname: { x64: 170, arm64: 161, parameters: { name: 'string', length: 'size' } },
  setdomainname: { x64: 171, arm64: 162, parameters: { name: 'string', length: 'size' } },
  fsetxattr: {
    x64: 190,
    arm64: 7,
    parameters: { fd: 'fd', name: 'string', value: 'pointer', size: 'size', flags: 'int' },
  },
  fgetxattr: {
    x64: 193,
    arm64: 10,
    parameters: { fd: 'fd', name: 'string', value: 'pointer', size: 'size' },
  },
  flistxattr: { x64: 196, arm64: 13, parameters: { fd: 'fd', list: 'pointer', size: 'size' } },
  pread64: { x64: 17, arm64: 67, parameters: { fd: 'fd', buffer: 'pointer', size: 'size', offset: 'int' } },
  getdents64: { x64: 217, arm64: 61, parameters: { fd: 'fd', entries: 'pointer', size: 'size' } },
  exit_group: { x64: 231, arm64: 94, parameters: { status: 'int' } },
  set_mempolicy: {
    x64: 238,
    arm64: 237,
    parameters: { mode: set('mempolicy'), nodes: 'pointer', maxNode: 'size' },
  },
  waitid: {
    x64: 247,
    arm64: 95,
    parameters: {
      idType: set('idtype'),
      id: 'int',
      info: 'pointer',
      options: set('wait'),
      rusage: 'pointer',
    },
  },
  keyctl: {
    x64: 250,
    arm64: 219,
    parameters: { operation: set('keyctl'), arg2: 'pointer', arg3: 'int', arg4: 'int', arg5: 'int' },
  },
  ioprio_set: { x64: 251, arm64: 30, parameters: { which: 'int', who: 'int', priority: 'int' } },
  openat: {
    x64: 257,
    arm64: 56,
    parameters: { dirfd: 'fd', path: 'string', flags: set('open'), mode: 'mode' },
  },
  mkdirat: { x64: 258, arm64: 34, parameters: { dirfd: 'fd', path: 'string', mode: 'mode' } },
  mknodat: { x64: 259, arm64: 33, parameters: { dirfd: 'fd', path: 'string', mode: 'mode', device: 'dev' } },
  fchownat: {
    x64: 260,
    arm64: 54,
    parameters: { dirfd: 'fd', path: 'string', uid: 'int', gid: 'int', flags: set('at') },
  },
  unlinkat: { x64: 263, arm64: 35, parameters: { dirfd: 'fd', path: 'string', flags: set('unlinkat') } },
  linkat: {
    x64: 265,
    arm64: 37,
    parameters: { fromfd: 'fd', from: 'string', tofd: 'fd', to: 'string', flags: set('at') },
  },
  symlinkat: { x64: 266, arm64: 36, parameters: { target: 'string', dirfd: 'fd', path: 'string' } },
  readlinkat: {
    x64: 267,
    arm64: 78,
    parameters: { dirfd: 'fd', path: 'string', buffer: 'pointer', size: 'size' },
  },
  fchmodat: { x64: 268, arm64: 53, parameters: { dirfd: 'fd', path: 'string', mode: 'mode' } },
  unshare: { x64: 272, arm64: 97, parameters: { flags: set('clone') } },
  utimensat: {
    x64: 280,
    arm64: 88,
    parameters: { dirfd: 'fd', path: 'string', times: 'pointer', flags: set('at') },
  },
  inotify_init1: { x64: 294, arm64: 26, parameters: { flags: set('open') } },
  inotify_add_watch: { x64: 254, arm64: 27, parameters: { fd: 'fd', path: 'string', mask: 'int' } },
  clock_nanosleep: {
    x64: 230,
    arm64: 115,
    parameters: { clock: 'int', flags: 'int', duration: 'pointer', left: 'pointer' },
  },
  dup3: { x64: 292, arm64: 24, parameters: { from: 'fd', to: 'fd', flags: set('dup') } },
  pipe2: { x64: 293, arm64: 59, parameters: { pair: 'pointer', flags: set('dup') } },
  prlimit64: {
    x64: 302,
    arm64: 261,
    parameters: { pid: 'pid', resource: set('rlimit'), limit: 'pointer', old: 'pointer' },
  },
  setns: { x64: 308, arm64: 268, parameters: { fd: 'fd', type: set('clone') } },
  renameat2: {
    x64: 316,
    arm64: 276,
    parameters: { fromDirfd: 'fd', from: 'string', toDirfd: 'fd', to: 'string', flags: 'int' },
  },
  seccomp: {
    x64: 317,
    arm64: 277,
    parameters: { operation: set('seccomp'), flags: set('seccomp_filter'), program: 'pointer' },
  },
  memfd_create: { x64: 319, arm64: 279, parameters: { name: 'string', flags: set('memfd') } },
  bpf: { x64: 321, arm64: 280, parameters: { command: set('bpf'), attributes: 'pointer', size: 'size' } },
  execveat: {
    x64: 322,
    arm64: 281,
    parameters: { dirfd: 'fd', path: 'string', argv: 'pointer', envp: 'pointer', flags: set('at') },
  },
  statx: {
    x64: 332,
    arm64: 291,
    parameters: { dirfd: 'fd', path: 'string', flags: set('at'), mask: set('statx'), statx: 'pointer' },
  },
  pidfd_send_signal: {
    x64: 424,
    arm64: 424,
    parameters: { pidfd: 'fd', signal: 'signal', info: 'pointer', flags: 'int' },
  },
  open_tree: { x64: 428, arm64: 428, parameters: { dirfd: 'fd', path: 'string', flags: set('open_tree') } },
  move_mount: {
    x64: 429,
    arm64: 429,
    parameters: {
      fromDirfd: 'fd',
      fromPath: 'string',
      toDirfd: 'fd',
      toPath: 'string',
      flags: set('move_mount'),
    },
  },
  fsopen: { x64: 430, arm64: 430, parameters: { type: 'string', flags: set('fsopen') } },
  fsconfig: {
    x64: 431,
    arm64: 431,
    parameters: { fd: 'fd', command: set('fsconfig'), key: 'string', value: 'string', aux: 'int' },
  },
  fsmount: {
    x64: 432,
    arm64: 432,
    parameters: { fd: 'fd', flags: set('fsmount'), attributes: set('mount_attr') },
  },
  fspick: { x64: 433, arm64: 433, parameters: { dirfd: 'fd', path: 'string', flags: set('fspick') } },
  pidfd_open: { x64: 434, arm64: 434, parameters: { pid: 'pid', flags: 'int' } },
  clone3: { x64: 435, arm64: 435, parameters: { args: 'pointer', size: 'size' } },
  close_range: {
    x64: 436,
    arm64: 436,
    parameters: { first: 'fd', last: 'int', flags: set('close_range') },
  },
  openat2: {
    x64: 437,
    arm64: 437,
    parameters: { dirfd: 'fd', path: 'string', how: 'pointer', size: 'size' },
  },
  pidfd_getfd: { x64: 438, arm64: 438, parameters: { pidfd: 'fd', target: 'fd', flags: 'int' } },
  faccessat2: {
    x64: 439,
    arm64: 439,
    parameters: { dirfd: 'fd', path: 'string', mode: set('access'), flags: set('faccessat') },
  },
  mount_setattr: {
    x64: 442,
    arm64: 442,
    parameters: { dirfd: 'fd', path: 'string', flags: set('at'), attributes: 'pointer', size: 'size' },
  },
} as const satisfies Record<string, Syscall>;

export type SyscallName = keyof typeof SYSCALLS;

type ArgOf<P> = P extends 'string'
  ? Extract<Arg, string | null | object>
  : P extends 'pointer'
    ? Exclude<Arg, string>
    : Exclude<Arg, string>;

/** The arguments of a system call on a tape, in order; trailing ones may be left out and are 0. */
export type SyscallArgs<N extends SyscallName> = Partial<
  ParameterTuple<(typeof SYSCALLS)[N]['parameters'] & Record<string, ParameterType>>
> &
  readonly Arg[];

// Object types have no order for the type system, so arity and per-position types can't be derived from `parameters`
// alone; the union of the allowed types is checked here and the arity by the assembler.
type ParameterTuple<P> = readonly ArgOf<P[keyof P]>[];

/** The machines that have an executor. */
export type Machine = 'x64' | 'arm64';

/** The number of a system call. */
export function syscallNumber(name: SyscallName, machine: Machine): number {
  return SYSCALLS[name][machine];
}
