/**
 * Constants of nftables' netlink messages: linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h.
 *
 * @module
 */

/** Subsystems of NETLINK_NETFILTER, and the messages around what is changed at once. */
export const NFNL = { NFTABLES: 10, BATCH_BEGIN: 16, BATCH_END: 17 } as const;

/** Families of tables. */
export const NFPROTO = { INET: 1 } as const;

/** Messages of nftables, and the attribute with a table's name. */
export const NFT = { NEWTABLE: 0, GETTABLE: 1, DELTABLE: 2, TABLE_NAME: 1 } as const;
