/**
 * Constants of the socket system calls: socket(2), send(2), recv(2), unix(7).
 *
 * @module
 */

/** Address families. */
export const AF = { UNSPEC: 0, UNIX: 1, INET: 2, INET6: 10, NETLINK: 16, PACKET: 17, VSOCK: 40 } as const;

/** Types of socket, and the flags that socket(2) takes with them. */
export const SOCK = {
  STREAM: 1,
  DGRAM: 2,
  RAW: 3,
  SEQPACKET: 5,
  NONBLOCK: 0o4000,
  CLOEXEC: 0o2000000,
} as const;

/** Flags of sendmsg(2) and recvmsg(2). */
export const MSG = {
  PEEK: 0x2,
  CTRUNC: 0x8,
  TRUNC: 0x20,
  DONTWAIT: 0x40,
  EOR: 0x80,
  WAITALL: 0x100,
  NOSIGNAL: 0x4000,
  CMSG_CLOEXEC: 0x40000000,
} as const;

/** Levels of control messages and socket options. */
export const SOL = { SOCKET: 1 } as const;

/** Types of control messages, unix(7). */
export const SCM = { RIGHTS: 1, CREDENTIALS: 2 } as const;
