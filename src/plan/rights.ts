/**
 * Passing a descriptor over a Unix socket: sendmsg(2) with SCM_RIGHTS, unix(7).
 *
 * @module
 */

import { SCM, SOL } from '../../ffi/constants/index.ts';
import type { Cell, HandedFd, ProgramBuilder } from '../../ffi/program.ts';
import { addressOf, valueIn, words } from '../../ffi/program.ts';

const CMSG_HEADER = 16;
const CMSG_SPACE = 24;

/** Sends the descriptor in a cell; the body of the message names it, as receivers expect. */
export function planSendDescriptor(program: ProgramBuilder, socket: HandedFd, fd: Cell, body: string): void {
  // struct cmsghdr { u64 len; int level; int type; } and the descriptor: it can't be constant, so it lives in a cell
  const control = program.cell('control', CMSG_SPACE);
  program.set(control, CMSG_HEADER + 4);
  program.set(control, SOL.SOCKET + SCM.RIGHTS * 0x1_0000_0000, '', 0, 8);
  program.set(control, valueIn(fd), '', 0, 16);
  const iov = words('iovec', [body, body.length]);
  const message = words('msghdr', [0, 0, iov, 1, addressOf(control), CMSG_SPACE, 0]);
  program.call('sendmsg', [socket, message, 0]);
}
