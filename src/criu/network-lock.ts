/**
 * What CRIU holds connections with while they are saved, and takes away when they are restored: a table of nftables.
 *
 * In CRIU 3.17 that table has the first process's id on the host in its name: it is saved with the network namespace,
 * restored with it, and then looked for under the new id. Nothing would get through to the container any more.
 *
 * @see nft(8)
 * @module
 */

import { closeSync } from '#files';
import { NFNL, NFPROTO, NFT } from '../../ffi/constants/netfilter.ts';
import { NETLINK } from '../../ffi/constants/netlink.ts';
import { openNamespace, socketIn } from '../linux/net-devices.ts';
import { encodeString, NetlinkError } from '../linux/netlink.ts';
import { log } from '../log.ts';

const WHAT = '--network-lock';

/** The table's name when a process is saved. */
export function lockOf(pid: number): string {
  return `CRIU-${pid}`;
}

/** Removes the table from a process's network namespace, where it is. Never throws: the container is there. */
export function removeLock(table: string, pid: number): void {
  const opened: number[] = [];
  const open = (of: number | 'thread-self'): number => {
    const fd = openNamespace(of, WHAT);
    opened.push(fd);
    return fd;
  };
  try {
    const socket = socketIn({ host: open('thread-self'), container: open(pid) }, WHAT, NETLINK.NETFILTER);
    try {
      // struct nfgenmsg: u8 family, u8 version, u16 number of a resource
      const body = new Uint8Array([NFPROTO.INET, 0, 0, 0]);
      socket.changeInBatch(NFNL.NFTABLES, NFT.DELTABLE, body, [[NFT.TABLE_NAME, encodeString(table)]]);
      log.debug(`criu left the nftables table ${table}: removed`);
    } finally {
      socket.close();
    }
  } catch (error) {
    // CRIU itself removed it, or the kernel has no nftables.
    if (error instanceof NetlinkError && error.errno === 'ENOENT') return;
    const why = error instanceof Error ? error.message : String(error);
    log.warn(`${WHAT}: the table ${table} is not removed from the container’s nftables: ${why}`);
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}
