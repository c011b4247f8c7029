/**
 * Constants of the file system calls.
 *
 * Sources: open(2), openat2(2), fcntl(2), inode(7), linux/fcntl.h, asm-generic/fcntl.h and arch/arm64's asm/fcntl.h.
 *
 * @module
 */

import type { Machine } from '../syscalls.ts';

/** Names of the open(2) flags. */
export type OpenFlag =
  | 'RDONLY'
  | 'WRONLY'
  | 'RDWR'
  | 'CREAT'
  | 'EXCL'
  | 'NOCTTY'
  | 'TRUNC'
  | 'APPEND'
  | 'NONBLOCK'
  | 'SYNC'
  | 'DSYNC'
  | 'ASYNC'
  | 'DIRECT'
  | 'LARGEFILE'
  | 'TMPFILE'
  | 'DIRECTORY'
  | 'NOFOLLOW'
  | 'NOATIME'
  | 'CLOEXEC'
  | 'PATH';

/**
 * The open(2) flags of a machine. aarch64 inherited 32-bit ARM's numbers for four of them; mistaking them is silent
 * (its O_DIRECT is x86-64's O_DIRECTORY), so a program assembled for another machine takes its flags from here.
 */
export function openFlags(machine: Machine): Readonly<Record<OpenFlag, number>> {
  const arm64 = machine === 'arm64';
  const directory = arm64 ? 0o40000 : 0o200000;
  return {
    RDONLY: 0,
    WRONLY: 0o1,
    RDWR: 0o2,
    CREAT: 0o100,
    EXCL: 0o200,
    NOCTTY: 0o400,
    TRUNC: 0o1000,
    APPEND: 0o2000,
    NONBLOCK: 0o4000,
    SYNC: 0o4010000,
    DSYNC: 0o10000,
    ASYNC: 0o20000,
    TMPFILE: 0o20000000 | directory,
    DIRECT: arm64 ? 0o200000 : 0o40000,
    LARGEFILE: arm64 ? 0o400000 : 0o100000,
    DIRECTORY: directory,
    NOFOLLOW: arm64 ? 0o100000 : 0o400000,
    NOATIME: 0o1000000,
    CLOEXEC: 0o2000000,
    PATH: 0o10000000,
  };
}

/** The open(2) flags of the machine this runs on. */
export const O = openFlags(process.arch === 'arm64' ? 'arm64' : 'x64');

/** FDCWD in place of a directory descriptor, and flags of the *at system calls. EACCESS and REMOVEDIR share a bit. */
export const AT = {
  FDCWD: -100,
  SYMLINK_NOFOLLOW: 0x100,
  EACCESS: 0x200,
  REMOVEDIR: 0x200,
  SYMLINK_FOLLOW: 0x400,
  NO_AUTOMOUNT: 0x800,
  EMPTY_PATH: 0x1000,
  RECURSIVE: 0x8000,
  /** execveat(2): check, don't execute. Linux 6.14. */
  EXECVE_CHECK: 0x10000,
} as const;

/** open_how.resolve of openat2(2). */
export const RESOLVE = {
  NO_XDEV: 0x1,
  NO_MAGICLINKS: 0x2,
  NO_SYMLINKS: 0x4,
  BENEATH: 0x8,
  IN_ROOT: 0x10,
  CACHED: 0x20,
} as const;

/** Modes of faccessat2(2). */
export const ACCESS = { F_OK: 0, X_OK: 1, W_OK: 2, R_OK: 4 } as const;

/** File type and special bits of st_mode, inode(7). */
export const S = {
  IFMT: 0o170000,
  IFSOCK: 0o140000,
  IFLNK: 0o120000,
  IFREG: 0o100000,
  IFBLK: 0o60000,
  IFDIR: 0o40000,
  IFCHR: 0o20000,
  IFIFO: 0o10000,
  ISUID: 0o4000,
  ISGID: 0o2000,
  ISVTX: 0o1000,
} as const;

/** Mask of statx(2). MNT_ID: Linux 5.8; MNT_ID_UNIQUE: 6.8. */
export const STATX = {
  TYPE: 0x1,
  MODE: 0x2,
  NLINK: 0x4,
  UID: 0x8,
  GID: 0x10,
  INO: 0x100,
  SIZE: 0x200,
  BASIC_STATS: 0x7ff,
  MNT_ID: 0x1000,
  MNT_ID_UNIQUE: 0x4000,
} as const;

export const SEEK = { SET: 0, CUR: 1, END: 2 } as const;

/** Commands of fcntl(2). */
export const F = {
  DUPFD: 0,
  GETFD: 1,
  SETFD: 2,
  GETFL: 3,
  SETFL: 4,
  DUPFD_CLOEXEC: 1030,
  SETPIPE_SZ: 1031,
  GETPIPE_SZ: 1032,
  ADD_SEALS: 1033,
  GET_SEALS: 1034,
} as const;

/** Argument of F_SETFD. */
export const FD = { CLOEXEC: 1 } as const;

/** Argument of F_ADD_SEALS. EXEC (no change of the x bits): Linux 6.3. */
export const F_SEAL = {
  SEAL: 0x1,
  SHRINK: 0x2,
  GROW: 0x4,
  WRITE: 0x8,
  FUTURE_WRITE: 0x10,
  EXEC: 0x20,
} as const;

/** Operations of flock(2). */
export const LOCK = { SH: 1, EX: 2, NB: 4, UN: 8 } as const;

/** Flags of memfd_create(2). NOEXEC_SEAL and EXEC: Linux 6.3. */
export const MFD = { CLOEXEC: 0x1, ALLOW_SEALING: 0x2, HUGETLB: 0x4, NOEXEC_SEAL: 0x8, EXEC: 0x10 } as const;

/** Flags of close_range(2). */
export const CLOSE_RANGE = { UNSHARE: 0x2, CLOEXEC: 0x4 } as const;
