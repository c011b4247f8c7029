/**
 * ioctl(2) requests: asm-generic/ioctls.h, linux/sockios.h, linux/nsfs.h. The same on x86-64 and aarch64.
 *
 * @module
 */

/** Terminals, ioctl_tty(2). */
export const TIOC = {
  EXCL: 0x540c,
  NXCL: 0x540d,
  SCTTY: 0x540e,
  GPGRP: 0x540f,
  SPGRP: 0x5410,
  STI: 0x5412,
  GWINSZ: 0x5413,
  SWINSZ: 0x5414,
  CONS: 0x541d,
  NOTTY: 0x5422,
  GSID: 0x5429,
  GPTN: 0x80045430,
  SPTLCK: 0x40045431,
  /** Opens the peer of a pseudo-terminal whatever its path is by now. Linux 4.13. */
  GPTPEER: 0x5441,
} as const;

/** Terminal attributes, ioctl_tty(2). */
export const TC = { GETS: 0x5401, SETS: 0x5402, SETSW: 0x5403, SETSF: 0x5404 } as const;

/** Network interfaces, netdevice(7). */
export const SIOC = {
  GIFNAME: 0x8910,
  GIFCONF: 0x8912,
  GIFFLAGS: 0x8913,
  SIFFLAGS: 0x8914,
  GIFADDR: 0x8915,
  SIFADDR: 0x8916,
  SIFNETMASK: 0x891c,
  SIFMTU: 0x8922,
  SIFNAME: 0x8923,
  GIFINDEX: 0x8933,
} as const;

/** Flags of a network interface, netdevice(7). */
export const IFF = { UP: 0x1, BROADCAST: 0x2, LOOPBACK: 0x8, RUNNING: 0x40 } as const;

/** Namespaces, ioctl_ns(2). */
export const NS = {
  GET_USERNS: 0xb701,
  GET_PARENT: 0xb702,
  GET_NSTYPE: 0xb703,
  GET_OWNER_UID: 0xb704,
} as const;
