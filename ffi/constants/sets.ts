/**
 * The constants as named sets, for printing arguments symbolically.
 *
 * The names are those that parameters in syscalls.ts refer to.
 *
 * @module
 */

import type { Machine } from '../syscalls.ts';
import { CAP } from './capability.ts';
import {
  ACCESS,
  AT,
  CLOSE_RANGE,
  F,
  F_SEAL,
  FD,
  LOCK,
  MFD,
  openFlags,
  RESOLVE,
  S,
  SEEK,
  STATX,
} from './file.ts';
import { IFF, NS, SIOC, TC, TIOC } from './ioctl.ts';
import { FSCONFIG, FSMOUNT, FSOPEN, FSPICK, MNT, MOUNT_ATTR, MOVE_MOUNT, MS, OPEN_TREE } from './mount.ts';
import {
  BPF,
  CLONE,
  KEYCTL,
  P,
  PERSONALITY,
  PR,
  PR_CAP_AMBIENT,
  RLIMIT,
  SECCOMP,
  SECCOMP_FILTER_FLAG,
  SIG_HOW,
  W,
} from './process.ts';
import { IOPRIO_CLASS, MPOL, MPOL_F, SCHED, SCHED_FLAG } from './scheduling.ts';
import { AF, MSG, SOCK } from './socket.ts';

/** A set of constants and how a value of it is printed. */
export interface ConstantSet {
  /** Numbers by the name that is printed, e.g. `MS_NOSUID`. Of two names for one number the first is printed. */
  readonly values: Readonly<Record<string, number | bigint>>;
  /** `enum`: one name; `flags`: names joined with `|`. */
  readonly style: 'flags' | 'enum';
  /** Of flags: the low bits that hold an enumeration, as the access mode of open(2) does. */
  readonly mask?: number;
}

const cache: Partial<Record<Machine, Record<string, ConstantSet>>> = {};

/**
 * The set of a name, or undefined. Built at the first use: a command that prints no plan needs none of it.
 *
 * @param machine - the machine the values are for; only `open` and `dup` differ
 */
export function constantSet(name: string, machine: Machine): ConstantSet | undefined {
  cache[machine] ??= build(machine);
  return cache[machine][name];
}

/** The names of all sets. */
export function constantSetNames(): string[] {
  cache.x64 ??= build('x64');
  return Object.keys(cache.x64);
}

function build(machine: Machine): Record<string, ConstantSet> {
  const open = openFlags(machine);
  const at = without(AT, 'FDCWD', 'REMOVEDIR', 'EACCESS');
  return {
    mount: flags('MS_', MS),
    umount: {
      style: 'flags',
      values: { ...prefixed('MNT_', without(MNT, 'NOFOLLOW')), UMOUNT_NOFOLLOW: MNT.NOFOLLOW },
    },
    open_tree: { style: 'flags', values: { ...prefixed('OPEN_TREE_', OPEN_TREE), ...prefixed('AT_', at) } },
    move_mount: flags('MOVE_MOUNT_', MOVE_MOUNT),
    fsopen: flags('FSOPEN_', FSOPEN),
    fspick: flags('FSPICK_', FSPICK),
    fsconfig: enumeration('FSCONFIG_', FSCONFIG),
    fsmount: flags('FSMOUNT_', FSMOUNT),
    mount_attr: flags('MOUNT_ATTR_', MOUNT_ATTR),
    open: { ...flags('O_', open), mask: 3 },
    dup: flags('O_', { CLOEXEC: open.CLOEXEC, NONBLOCK: open.NONBLOCK, DIRECT: open.DIRECT }),
    at: flags('AT_', at),
    unlinkat: flags('AT_', { REMOVEDIR: AT.REMOVEDIR }),
    faccessat: flags('AT_', { EACCESS: AT.EACCESS, ...at }),
    resolve: flags('RESOLVE_', RESOLVE),
    access: flags('', ACCESS),
    file_type: enumeration('S_', without(S, 'IFMT', 'ISUID', 'ISGID', 'ISVTX')),
    statx: flags('STATX_', STATX),
    seek: enumeration('SEEK_', SEEK),
    fcntl: enumeration('F_', F),
    fd_flags: flags('FD_', FD),
    seals: flags('F_SEAL_', F_SEAL),
    flock: flags('LOCK_', LOCK),
    memfd: flags('MFD_', MFD),
    close_range: flags('CLOSE_RANGE_', CLOSE_RANGE),
    clone: flags('CLONE_', CLONE),
    prctl: enumeration('PR_', PR),
    cap_ambient: enumeration('PR_CAP_AMBIENT_', PR_CAP_AMBIENT),
    capability: enumeration('CAP_', CAP),
    rlimit: enumeration('RLIMIT_', RLIMIT),
    personality: { ...flags('', PERSONALITY), mask: 0xff },
    keyctl: enumeration('KEYCTL_', KEYCTL),
    idtype: enumeration('P_', P),
    wait: { style: 'flags', values: { ...prefixed('W', without(W, 'ALL')), __WALL: W.ALL } },
    seccomp: enumeration('SECCOMP_', SECCOMP),
    seccomp_filter: flags('SECCOMP_FILTER_FLAG_', SECCOMP_FILTER_FLAG),
    bpf: enumeration('BPF_', BPF),
    sigprocmask: enumeration('SIG_', SIG_HOW),
    sched: enumeration('SCHED_', SCHED),
    sched_flags: flags('SCHED_FLAG_', SCHED_FLAG),
    ioprio_class: enumeration('IOPRIO_CLASS_', IOPRIO_CLASS),
    mempolicy: {
      style: 'flags',
      values: { ...prefixed('MPOL_', MPOL), ...prefixed('MPOL_F_', MPOL_F) },
      mask: 0xff,
    },
    ioctl: {
      style: 'enum',
      values: {
        ...prefixed('TIOC', TIOC),
        ...prefixed('TC', TC),
        ...prefixed('SIOC', SIOC),
        ...prefixed('NS_', NS),
      },
    },
    iff: flags('IFF_', IFF),
    af: enumeration('AF_', AF),
    sock: { ...flags('SOCK_', SOCK), mask: 0xf },
    msg: flags('MSG_', MSG),
  };
}

type Values = Readonly<Record<string, number | bigint>>;

function flags(prefix: string, values: Values): ConstantSet {
  return { style: 'flags', values: prefixed(prefix, values) };
}

function enumeration(prefix: string, values: Values): ConstantSet {
  return { style: 'enum', values: prefixed(prefix, values) };
}

function prefixed(prefix: string, values: Values): Record<string, number | bigint> {
  const named: Record<string, number | bigint> = {};
  for (const [name, value] of Object.entries(values)) named[prefix + name] = value;
  return named;
}

function without(values: Values, ...names: string[]): Values {
  const rest = { ...values };
  for (const name of names) delete (rest as Record<string, unknown>)[name];
  return rest;
}
