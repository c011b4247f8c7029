/**
 * Unix sockets with descriptors in messages: what node:net can't do.
 *
 * Blocking, and every descriptor that arrives or is made here is close-on-exec.
 *
 * @see unix(7), cmsg(3)
 * @module
 */

import { closeSync } from '#files';
import { AT, O } from '../../ffi/constants/file.ts';
import { AF, MSG, SCM, SOCK, SOL } from '../../ffi/constants/socket.ts';
import { restartingSyscall, syscall } from '../../ffi/local.ts';
import { addressOfBytes, nativeBytes } from '../../ffi/native.ts';
import { utf8, utf8Length } from '../../ffi/text.ts';
import { RuntsError } from '../errors.ts';

/** A message as it arrived. */
export interface ReceivedMessage {
  /** Empty at the end of the connection. */
  data: Uint8Array;
  fds: number[];
}

/** Bytes of sun_path, unix(7), with the NUL at the end. */
const PATH_SIZE = 108;

// struct msghdr, struct iovec, then the control message and the data, all in one piece of memory.
const MSGHDR = { IOV: 16, IOV_COUNT: 24, CONTROL: 32, CONTROL_LENGTH: 40, FLAGS: 48 } as const;
const IOVEC = 56;
const CONTROL = 72;
// struct cmsghdr { size_t cmsg_len; int cmsg_level; int cmsg_type; }
const CMSG_SIZE = 16;
const RIGHTS = BigInt(SOL.SOCKET) | (BigInt(SCM.RIGHTS) << 32n);
/** The kernel passes no more descriptors in one message (SCM_MAX_FD). */
const MAX_FDS = 253;

interface Message {
  memory: Uint8Array;
  view: DataView;
  data: Uint8Array;
  descriptors: Int32Array;
}

/**
 * Sends bytes (at least one) with descriptors.
 *
 * @param what - stands before the system call in the message of an error
 * @throws RuntsError E_SYSCALL
 */
export function sendDescriptors(
  socket: number,
  data: Uint8Array,
  fds: readonly number[],
  what?: string,
): void {
  const { memory, view, ...message } = makeMessage(data.length, fds.length);
  message.data.set(data);
  message.descriptors.set(fds);
  view.setBigUint64(CONTROL, BigInt(CMSG_SIZE + fds.length * 4), true);
  view.setBigUint64(CONTROL + 8, RIGHTS, true);
  restartingSyscall('sendmsg', [socket, memory, MSG.NOSIGNAL], { what });
}

/**
 * Receives one message, waiting for it.
 *
 * @param size - most bytes of data
 * @throws RuntsError E_SYSCALL, also when more data or descriptors came than there was room for; the descriptors are
 *   closed then
 */
export function receiveDescriptors(socket: number, size = 4096, maxFds = 1): ReceivedMessage {
  const { memory, view, data, descriptors } = makeMessage(size, Math.min(maxFds, MAX_FDS));
  const length = restartingSyscall('recvmsg', [socket, memory, MSG.CMSG_CLOEXEC]);
  const rights =
    view.getBigUint64(MSGHDR.CONTROL_LENGTH, true) > 0n && view.getBigUint64(CONTROL + 8, true) === RIGHTS;
  const count = rights ? (Number(view.getBigUint64(CONTROL, true)) - CMSG_SIZE) / 4 : 0;
  const fds = Array.from(descriptors.subarray(0, count));
  if ((view.getUint32(MSGHDR.FLAGS, true) & (MSG.TRUNC | MSG.CTRUNC)) !== 0) {
    for (const fd of fds) closeSync(fd);
    throw new RuntsError('E_SYSCALL', 'recvmsg: the message has more data or descriptors than expected', {
      syscall: 'recvmsg',
      errno: 'EMSGSIZE',
    });
  }
  return { data: data.slice(0, length), fds };
}

/**
 * Connects to a listening stream socket. Any path will do, also one that is too long for the kernel's address.
 *
 * @param what - stands before the system call in the message of an error
 * @throws RuntsError E_SYSCALL
 */
export function connectUnix(path: string, what = `cannot connect to ${path}`): number {
  let file = -1;
  let socket = -1;
  try {
    let name = path;
    // A path with a NUL is too long too, in that openat refuses it and says why.
    if (path.includes('\0') || utf8Length(path) >= PATH_SIZE) {
      file = syscall('openat', [AT.FDCWD, path, O.PATH | O.CLOEXEC, 0], { what });
      name = `/proc/self/fd/${file}`;
    }
    socket = syscall('socket', [AF.UNIX, SOCK.STREAM | SOCK.CLOEXEC, 0], { what });
    const address = socketAddress(name);
    restartingSyscall('connect', [socket, address, address.length], { what });
    return socket;
  } catch (error) {
    if (socket >= 0) closeSync(socket);
    throw error;
  } finally {
    if (file >= 0) closeSync(file);
  }
}

/** struct sockaddr_un { u16 sun_family; char sun_path[108]; } up to and with the NUL. */
export function socketAddress(path: string): Uint8Array {
  const name = utf8(path);
  const address = new Uint8Array(2 + name.length + 1);
  address[0] = AF.UNIX;
  address.set(name, 2);
  return address;
}

function makeMessage(dataSize: number, fdCount: number): Message {
  const controlSize = fdCount === 0 ? 0 : CMSG_SIZE + Math.ceil(fdCount / 2) * 8;
  const dataOffset = CONTROL + Math.max(controlSize, CMSG_SIZE);
  const memory = nativeBytes(dataOffset + dataSize);
  const base = addressOfBytes(memory);
  const view = new DataView(memory.buffer);
  view.setBigUint64(MSGHDR.IOV, base + BigInt(IOVEC), true);
  view.setBigUint64(MSGHDR.IOV_COUNT, 1n, true);
  view.setBigUint64(MSGHDR.CONTROL, controlSize === 0 ? 0n : base + BigInt(CONTROL), true);
  view.setBigUint64(MSGHDR.CONTROL_LENGTH, BigInt(controlSize), true);
  view.setBigUint64(IOVEC, base + BigInt(dataOffset), true);
  view.setBigUint64(IOVEC + 8, BigInt(dataSize), true);
  return {
    memory,
    view,
    data: memory.subarray(dataOffset),
    descriptors: new Int32Array(memory.buffer, CONTROL + CMSG_SIZE, fdCount),
  };
}
