/**
 * Constants of the system calls about processes.
 *
 * Sources: clone(2), prctl(2), getrlimit(2), personality(2), keyctl(2), waitid(2), seccomp(2), linux/sched.h,
 * linux/prctl.h.
 *
 * @module
 */

/**
 * Flags of clone3(2), unshare(2) and setns(2).
 *
 * Those beyond bit 31 are bigints, because `|` of JavaScript numbers would lose them without a word: the compiler
 * refuses to mix the two, and `BigInt(CLONE.NEWPID) | CLONE.INTO_CGROUP` is right.
 */
export const CLONE = {
  NEWTIME: 0x80,
  VM: 0x100,
  FS: 0x200,
  FILES: 0x400,
  SIGHAND: 0x800,
  PIDFD: 0x1000,
  PTRACE: 0x2000,
  VFORK: 0x4000,
  PARENT: 0x8000,
  THREAD: 0x10000,
  NEWNS: 0x20000,
  SYSVSEM: 0x40000,
  SETTLS: 0x80000,
  PARENT_SETTID: 0x100000,
  CHILD_CLEARTID: 0x200000,
  UNTRACED: 0x800000,
  CHILD_SETTID: 0x1000000,
  NEWCGROUP: 0x2000000,
  NEWUTS: 0x4000000,
  NEWIPC: 0x8000000,
  NEWUSER: 0x10000000,
  NEWPID: 0x20000000,
  NEWNET: 0x40000000,
  CLEAR_SIGHAND: 0x100000000n,
  INTO_CGROUP: 0x200000000n,
} as const;

/** Options of prctl(2). */
export const PR = {
  SET_PDEATHSIG: 1,
  GET_PDEATHSIG: 2,
  GET_DUMPABLE: 3,
  SET_DUMPABLE: 4,
  GET_KEEPCAPS: 7,
  SET_KEEPCAPS: 8,
  SET_NAME: 15,
  GET_NAME: 16,
  GET_SECCOMP: 21,
  SET_SECCOMP: 22,
  CAPBSET_READ: 23,
  CAPBSET_DROP: 24,
  GET_SECUREBITS: 27,
  SET_SECUREBITS: 28,
  SET_CHILD_SUBREAPER: 36,
  GET_CHILD_SUBREAPER: 37,
  SET_NO_NEW_PRIVS: 38,
  GET_NO_NEW_PRIVS: 39,
  SET_THP_DISABLE: 41,
  CAP_AMBIENT: 47,
  GET_SPECULATION_CTRL: 52,
  SET_SPECULATION_CTRL: 53,
  SET_IO_FLUSHER: 57,
  SCHED_CORE: 62,
  SET_MDWE: 65,
  SET_MEMORY_MERGE: 67,
} as const;

/** Second argument of prctl(PR_CAP_AMBIENT). */
export const PR_CAP_AMBIENT = { IS_SET: 1, RAISE: 2, LOWER: 3, CLEAR_ALL: 4 } as const;

export const RLIMIT = {
  CPU: 0,
  FSIZE: 1,
  DATA: 2,
  STACK: 3,
  CORE: 4,
  RSS: 5,
  NPROC: 6,
  NOFILE: 7,
  MEMLOCK: 8,
  AS: 9,
  LOCKS: 10,
  SIGPENDING: 11,
  MSGQUEUE: 12,
  NICE: 13,
  RTPRIO: 14,
  RTTIME: 15,
} as const;

/** Domains and flags of personality(2); only these have PER_ or no prefix in the kernel. */
export const PERSONALITY = {
  PER_LINUX: 0,
  PER_LINUX32: 0x8,
  UNAME26: 0x20000,
  ADDR_NO_RANDOMIZE: 0x40000,
  MMAP_PAGE_ZERO: 0x100000,
  ADDR_COMPAT_LAYOUT: 0x200000,
  READ_IMPLIES_EXEC: 0x400000,
  ADDR_LIMIT_32BIT: 0x800000,
} as const;

/** Operations of keyctl(2). */
export const KEYCTL = {
  GET_KEYRING_ID: 0,
  JOIN_SESSION_KEYRING: 1,
  UPDATE: 2,
  REVOKE: 3,
  CHOWN: 4,
  SETPERM: 5,
  DESCRIBE: 6,
  CLEAR: 7,
  LINK: 8,
  UNLINK: 9,
  SEARCH: 10,
  READ: 11,
} as const;

/** idtype_t of waitid(2). */
export const P = { ALL: 0, PID: 1, PGID: 2, PIDFD: 3 } as const;

/** Options of waitid(2). */
export const W = {
  NOHANG: 0x1,
  STOPPED: 0x2,
  EXITED: 0x4,
  CONTINUED: 0x8,
  NOWAIT: 0x1000000,
  /** The kernel's __WALL: children of any clone flags. */
  ALL: 0x40000000,
} as const;

/** Operations of seccomp(2). */
export const SECCOMP = {
  SET_MODE_STRICT: 0,
  SET_MODE_FILTER: 1,
  GET_ACTION_AVAIL: 2,
  GET_NOTIF_SIZES: 3,
} as const;

/** Flags of seccomp(SECCOMP_SET_MODE_FILTER). */
export const SECCOMP_FILTER_FLAG = {
  TSYNC: 0x1,
  LOG: 0x2,
  SPEC_ALLOW: 0x4,
  NEW_LISTENER: 0x8,
  TSYNC_ESRCH: 0x10,
  WAIT_KILLABLE_RECV: 0x20,
} as const;

/** Commands of bpf(2). */
export const BPF = {
  MAP_CREATE: 0,
  PROG_LOAD: 5,
  OBJ_PIN: 6,
  OBJ_GET: 7,
  PROG_ATTACH: 8,
  PROG_DETACH: 9,
  PROG_GET_FD_BY_ID: 13,
  OBJ_GET_INFO_BY_FD: 15,
  PROG_QUERY: 16,
} as const;

/** First argument of rt_sigprocmask(2). */
export const SIG_HOW = { BLOCK: 0, UNBLOCK: 1, SETMASK: 2 } as const;
