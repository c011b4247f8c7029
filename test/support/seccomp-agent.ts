/**
 * A seccomp agent for the tests, as a program: `node --import tsx test/support/seccomp-agent.ts SOCKET ANSWERS`.
 *
 * It listens at SOCKET and prints one JSON line for each event: `{"ready"}`, `{"message"}` for what a runtime sent, and
 * `{"nr", "pid"}` for each system call that it was asked about. ANSWERS is a JSON object from the number of a call to
 * the errno that it gets; all others go on. It ends when it is killed.
 *
 * @module
 */

import { closeSync, writeSync } from 'node:fs';
import { AF, ERRNO, SOCK } from '../../ffi/constants/index.ts';
import { POLL, poll } from '../../ffi/descriptors.ts';
import { syscall, trySyscall } from '../../ffi/local.ts';
import { declare } from '../../ffi/native.ts';
import { receiveDescriptors } from '../../src/linux/socket.ts';

/** Requests of ioctl(2) on a listener, linux/seccomp.h. */
const NOTIF = { RECV: 0xc0502100, SEND: 0xc0182101 } as const;
/** struct seccomp_notif and struct seccomp_notif_resp. */
const NOTIF_SIZE = 80;
const RESPONSE_SIZE = 24;
const CONTINUE = 1;

function print(event: unknown): void {
  writeSync(1, `${JSON.stringify(event)}\n`);
}

function listenAt(path: string): number {
  const bind = declare(null, 'bind', 'int', ['int', 'void *', 'uint']);
  const listen = declare(null, 'listen', 'int', ['int', 'int']);
  const socket = syscall('socket', [AF.UNIX, SOCK.STREAM | SOCK.CLOEXEC, 0]);
  const address = new Uint8Array(110);
  address[0] = AF.UNIX;
  address.set(new TextEncoder().encode(path), 2);
  if (bind(socket, address, address.length) !== 0 || listen(socket, 8) !== 0)
    throw new Error(`listen ${path}`);
  return socket;
}

/** Takes one connection: a message with one descriptor. It isn't read to its end, as runc never closes it. */
function accept(socket: number): number {
  const connection = declare(null, 'accept', 'int', ['int', 'void *', 'void *'])(socket, null, null);
  const { data, fds } = receiveDescriptors(connection, 65536, 4);
  closeSync(connection);
  const message: unknown = JSON.parse(new TextDecoder().decode(data));
  print({ message, descriptors: fds.length });
  return fds[0] ?? -1;
}

/** Answers one notification. False when all processes with this filter are gone. */
function answer(listener: number, answers: Record<string, number>): boolean {
  const request = new DataView(new ArrayBuffer(NOTIF_SIZE));
  const received = trySyscall('ioctl', [listener, NOTIF.RECV, new Uint8Array(request.buffer)]);
  if (received === -ERRNO.ENOENT) return true;
  if (received < 0) return false;
  const nr = request.getInt32(16, true);
  print({ nr, pid: request.getUint32(8, true) });
  const response = new DataView(new ArrayBuffer(RESPONSE_SIZE));
  response.setBigUint64(0, request.getBigUint64(0, true), true);
  const errno = answers[nr];
  if (errno === undefined) response.setUint32(20, CONTINUE, true);
  else response.setInt32(16, -errno, true);
  trySyscall('ioctl', [listener, NOTIF.SEND, new Uint8Array(response.buffer)]);
  return true;
}

function main(path: string, answers: Record<string, number>): void {
  const socket = listenAt(path);
  const listeners = new Set<number>();
  print({ ready: true });
  for (;;) {
    const fds = [socket, ...listeners];
    const events = poll(fds.map((fd) => ({ fd, events: POLL.IN })));
    events.forEach((event, index) => {
      const fd = fds[index]!;
      if (event === 0) return;
      if (fd === socket) listeners.add(accept(socket));
      else if ((event & POLL.IN) === 0 || !answer(fd, answers)) {
        listeners.delete(fd);
        closeSync(fd);
      }
    });
  }
}

main(process.argv[2]!, JSON.parse(process.argv[3] ?? '{}') as Record<string, number>);
