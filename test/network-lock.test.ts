/** What CRIU leaves of `--network-lock nftables` is removed, and nothing else. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NFNL, NFPROTO, NFT } from '../ffi/constants/netfilter.ts';
import { NETLINK } from '../ffi/constants/netlink.ts';
import { lockOf, removeLock } from '../src/criu/network-lock.ts';
import {
  decodeAttributes,
  decodeString,
  encodeString,
  NetlinkError,
  NetlinkSocket,
} from '../src/linux/netlink.ts';
import { privateWorld } from './harness/index.ts';

const world = privateWorld({ network: true });

const inet = new Uint8Array([NFPROTO.INET, 0, 0, 0]);

function withSocket<T>(action: (socket: NetlinkSocket) => T): T {
  const socket = new NetlinkSocket('test', NETLINK.NETFILTER);
  try {
    return action(socket);
  } finally {
    socket.close();
  }
}

const make = (table: string): void =>
  withSocket((socket) =>
    socket.changeInBatch(NFNL.NFTABLES, NFT.NEWTABLE, inet, [[NFT.TABLE_NAME, encodeString(table)]]),
  );

const tables = (): string[] =>
  withSocket((socket) =>
    socket
      .dump((NFNL.NFTABLES << 8) | NFT.GETTABLE, inet)
      .map(({ payload }) => decodeString(decodeAttributes(payload, inet.length).get(NFT.TABLE_NAME)!)),
  );

function nftablesMissing(): string | false {
  try {
    make('probe');
    return false;
  } catch (error) {
    return error instanceof NetlinkError && `the kernel has no nftables: ${error.message}`;
  }
}

test('the table of the process that was saved goes, others stay', {
  skip: world.skip || nftablesMissing(),
}, () => {
  for (const pid of [1, 12]) make(lockOf(pid));
  assert.deepEqual(tables().sort(), ['CRIU-1', 'CRIU-12', 'probe']);
  removeLock(lockOf(12), process.pid);
  assert.deepEqual(tables().sort(), ['CRIU-1', 'probe']);
  // Where CRIU did it itself.
  removeLock(lockOf(12), process.pid);
  assert.deepEqual(tables().sort(), ['CRIU-1', 'probe']);
});
