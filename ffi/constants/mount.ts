/**
 * Constants of the mount system calls, old and new.
 *
 * Sources: mount(2), umount2(2), linux/mount.h. The numbers are the same on every architecture. Property names are
 * the kernel's without the prefix.
 *
 * @module
 */

/** Flags of mount(2). */
export const MS = {
  RDONLY: 0x1,
  NOSUID: 0x2,
  NODEV: 0x4,
  NOEXEC: 0x8,
  SYNCHRONOUS: 0x10,
  REMOUNT: 0x20,
  MANDLOCK: 0x40,
  DIRSYNC: 0x80,
  NOSYMFOLLOW: 0x100,
  NOATIME: 0x400,
  NODIRATIME: 0x800,
  BIND: 0x1000,
  MOVE: 0x2000,
  REC: 0x4000,
  SILENT: 0x8000,
  POSIXACL: 0x10000,
  UNBINDABLE: 0x20000,
  PRIVATE: 0x40000,
  SLAVE: 0x80000,
  SHARED: 0x100000,
  RELATIME: 0x200000,
  I_VERSION: 0x800000,
  STRICTATIME: 0x1000000,
  LAZYTIME: 0x2000000,
} as const;

/** Flags of umount2(2). `NOFOLLOW` is the kernel's UMOUNT_NOFOLLOW. */
export const MNT = { FORCE: 0x1, DETACH: 0x2, EXPIRE: 0x4, NOFOLLOW: 0x8 } as const;

/** Flags of open_tree(2); it takes AT_EMPTY_PATH, AT_RECURSIVE, AT_SYMLINK_NOFOLLOW and AT_NO_AUTOMOUNT too. */
export const OPEN_TREE = { CLONE: 0x1, CLOEXEC: 0o2000000 } as const;

/** Flags of move_mount(2): F_ for the source, T_ for the target. BENEATH: Linux 6.5. */
export const MOVE_MOUNT = {
  F_SYMLINKS: 0x1,
  F_AUTOMOUNTS: 0x2,
  F_EMPTY_PATH: 0x4,
  T_SYMLINKS: 0x10,
  T_AUTOMOUNTS: 0x20,
  T_EMPTY_PATH: 0x40,
  SET_GROUP: 0x100,
  BENEATH: 0x200,
} as const;

export const FSOPEN = { CLOEXEC: 0x1 } as const;

export const FSPICK = { CLOEXEC: 0x1, SYMLINK_NOFOLLOW: 0x2, NO_AUTOMOUNT: 0x4, EMPTY_PATH: 0x8 } as const;

/** Commands of fsconfig(2). CMD_CREATE_EXCL: Linux 6.6. */
export const FSCONFIG = {
  SET_FLAG: 0,
  SET_STRING: 1,
  SET_BINARY: 2,
  SET_PATH: 3,
  SET_PATH_EMPTY: 4,
  SET_FD: 5,
  CMD_CREATE: 6,
  CMD_RECONFIGURE: 7,
  CMD_CREATE_EXCL: 8,
} as const;

export const FSMOUNT = { CLOEXEC: 0x1 } as const;

/**
 * Attributes of fsmount(2) and mount_setattr(2).
 *
 * `_ATIME` is the mask of the access time field (the kernel's MOUNT_ATTR__ATIME), whose values are RELATIME, NOATIME
 * and STRICTATIME: mount_setattr wants the whole mask in attr_clr when one of them is in attr_set.
 */
export const MOUNT_ATTR = {
  RDONLY: 0x1,
  NOSUID: 0x2,
  NODEV: 0x4,
  NOEXEC: 0x8,
  _ATIME: 0x70,
  RELATIME: 0x0,
  NOATIME: 0x10,
  STRICTATIME: 0x20,
  NODIRATIME: 0x80,
  IDMAP: 0x100000,
  NOSYMFOLLOW: 0x200000,
} as const;

/** f_type of statfs(2), from linux/magic.h. */
export const FS_MAGIC = {
  PROC: 0x9fa0,
  SYSFS: 0x62656572,
  TMPFS: 0x01021994,
  DEVPTS: 0x1cd1,
  CGROUP: 0x27e0eb,
  CGROUP2: 0x63677270,
  OVERLAYFS: 0x794c7630,
  NSFS: 0x6e736673,
  BPF: 0xcafe4a11,
} as const;
