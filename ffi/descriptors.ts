/**
 * Calls on descriptors in this process that node:fs doesn't have. Every descriptor made here is close-on-exec.
 *
 * All of these throw RuntsError E_SYSCALL with the call and its errno, unless said otherwise.
 *
 * @module
 */

import { readdirSync } from '#files';
import { AF, CLOSE_RANGE, F, FD, LOCK, MFD, O, SOCK } from './constants/index.ts';
import { restartingSyscall, syscall, syscallError, trySyscall } from './local.ts';

/** Events of poll(2). */
export const POLL = { IN: 0x1, PRI: 0x2, OUT: 0x4, ERR: 0x8, HUP: 0x10, NVAL: 0x20 } as const;

const EINVAL = 22;
const UINT_MAX = 0xffffffff;

/**
 * An anonymous file in memory that can be executed and sealed: memfd_create(2).
 *
 * @param name - shown in /proc/PID/fd and /proc/PID/exe, at most 249 bytes
 */
export function memfdCreate(name: string): number {
  const flags = MFD.CLOEXEC | MFD.ALLOW_SEALING;
  // With the sysctl vm.memfd_noexec=1 (Linux 6.3) only a file made with MFD_EXEC can be executed; older kernels don't
  // know the flag and allow it always.
  const args = [name, flags | MFD.EXEC] as const;
  const result = trySyscall('memfd_create', args);
  if (result >= 0) return result;
  if (result === -EINVAL) return syscall('memfd_create', [name, flags]);
  throw syscallError('memfd_create', args, -result, {
    hint: { EACCES: 'the sysctl vm.memfd_noexec=2 forbids executable memory files; set it to 1 or 0' },
  });
}

/** Forbids changes of a memfd for good: fcntl(F_ADD_SEALS) with the flags F_SEAL_*. */
export function addSeals(fd: number, seals: number): void {
  syscall('fcntl', [fd, F.ADD_SEALS, seals]);
}

/** A pair of connected Unix sockets; SOCK_SEQPACKET keeps message boundaries and shows the end of the peer. */
export function socketPair(type: number = SOCK.SEQPACKET): [number, number] {
  const pair = new Int32Array(2);
  syscall('socketpair', [AF.UNIX, type | SOCK.CLOEXEC, 0, pair]);
  return [pair[0]!, pair[1]!];
}

/** A pipe: the end to read from, the end to write to. */
export function pipe(): [number, number] {
  const pair = new Int32Array(2);
  syscall('pipe2', [pair, O.CLOEXEC]);
  return [pair[0]!, pair[1]!];
}

/** A copy of a descriptor with the lowest free number that is at least `least`. */
export function duplicate(fd: number, least = 3): number {
  return syscall('fcntl', [fd, F.DUPFD_CLOEXEC, least]);
}

/** Whether a descriptor is closed when a child executes a program. */
export function setCloseOnExec(fd: number, on: boolean): void {
  syscall('fcntl', [fd, F.SETFD, on ? FD.CLOEXEC : 0]);
}

/** Makes every descriptor from `first` on close-on-exec: those of the engine, and those that our caller left open. */
export function closeOnExecFrom(first: number): void {
  if (trySyscall('close_range', [first, UINT_MAX, CLOSE_RANGE.CLOEXEC]) >= 0) return;
  // Before Linux 5.11: one after the other.
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name);
    // The folder's own is closed by now.
    if (fd >= first) trySyscall('fcntl', [fd, F.SETFD, FD.CLOEXEC]);
  }
}

/** Waits for the exclusive lock of an open file, flock(2). It lasts until every copy of `fd` is closed. */
export function lockFile(fd: number): void {
  restartingSyscall('flock', [fd, LOCK.EX]);
}

/**
 * Waits, blocking the thread, until one of the descriptors is ready: ppoll(2).
 *
 * @param fds - descriptors and the {@link POLL} events to wait for; ERR, HUP and NVAL are always reported
 * @param timeoutMs - negative waits forever
 * @returns the events of each, in order; all 0 after the timeout
 */
export function poll(fds: readonly { fd: number; events: number }[], timeoutMs = -1): number[] {
  // struct pollfd { int fd; short events; short revents; }
  const list = new DataView(new ArrayBuffer(fds.length * 8));
  fds.forEach(({ fd, events }, index) => {
    list.setInt32(index * 8, fd, true);
    list.setInt16(index * 8 + 4, events, true);
  });
  // The kernel writes the time that is left, so a restart after a signal goes on where it was.
  const timeout = timeoutMs < 0 ? null : new BigInt64Array(2);
  if (timeout !== null) {
    timeout[0] = BigInt(Math.trunc(timeoutMs / 1000));
    timeout[1] = BigInt(Math.trunc((timeoutMs % 1000) * 1e6));
  }
  restartingSyscall('ppoll', [new Uint8Array(list.buffer), fds.length, timeout, null, 0]);
  return fds.map((_, index) => list.getInt16(index * 8 + 6, true));
}
