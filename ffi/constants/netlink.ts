/**
 * Constants of netlink(7) and rtnetlink(7): linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h.
 *
 * @module
 */

/** Protocols of a socket of AF_NETLINK. */
export const NETLINK = { ROUTE: 0, NETFILTER: 12 } as const;

/** Socket options of level SOL_NETLINK. */
export const NETLINK_OPTION = { LEVEL: 270, EXT_ACK: 11 } as const;

/** Types of control messages. */
export const NLMSG = { NOOP: 1, ERROR: 2, DONE: 3 } as const;

/** Flags of messages. */
export const NLM_F = {
  REQUEST: 0x1,
  MULTI: 0x2,
  ACK: 0x4,
  /** Of an acknowledgement: the original message's payload is left out. */
  CAPPED: 0x100,
  /** Of an acknowledgement: attributes with an explanation follow. */
  ACK_TLVS: 0x200,
  DUMP: 0x300,
  EXCL: 0x200,
  CREATE: 0x400,
} as const;

/** Attributes of an acknowledgement. */
export const NLMSGERR_ATTR = { MSG: 1 } as const;

export const RTM = { NEWLINK: 16, GETLINK: 18, NEWADDR: 20, GETADDR: 22 } as const;

/** Attributes of a link. */
export const IFLA = { IFNAME: 3, NET_NS_FD: 28 } as const;

/** Attributes of an address. */
export const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, FLAGS: 8, RT_PRIORITY: 9 } as const;

/** Flags of an address. */
export const IFA_F = { NODAD: 0x2, PERMANENT: 0x80, NOPREFIXROUTE: 0x200 } as const;

/** Scope of an address that is valid everywhere; RFC 3549 3.1.1. */
export const RT_SCOPE_UNIVERSE = 0;
