/**
 * sd_notify(3) for containers: what the container says to its own socket, the runtime's service manager is told.
 *
 * The container never gets the manager's socket: a message there counts as the runtime's, and could name any process
 * as the main one. It gets a socket in the state folder, and only the assignments below are passed on.
 *
 * @see sd_notify(3); systemd.service(5), NotifyAccess=
 * @module
 */

import { chmodSync, closeSync, existsSync, mkdirSync, unlinkSync } from '#files';
import { AT, O } from '../../ffi/constants/file.ts';
import { AF, SOCK } from '../../ffi/constants/socket.ts';
import { POLL, pipe, poll } from '../../ffi/descriptors.ts';
import { syscall } from '../../ffi/local.ts';
import { pidfdOpen } from '../../ffi/processes.ts';
import { whenReady } from '../../ffi/ready.ts';
import { utf8 } from '../../ffi/text.ts';
import { errnoOf } from '../errors.ts';
import { receiveDescriptors, sendDescriptors, socketAddress } from '../linux/socket.ts';
import { log } from '../log.ts';

const NAME = 'notify.sock';
/** How long the manager may take to read our messages; sd_notify_barrier(3). */
const BARRIER_MS = 30_000;

/** What a container may say of itself. Not MAINPID, FDSTORE, BARRIER and the like: those are about the sender. */
const PASSED_ON =
  /^(READY|RELOADING|STOPPING|MONOTONIC_USEC|STATUS|ERRNO|EXIT_STATUS|WATCHDOG|EXTEND_TIMEOUT_USEC)=/;

/** The folder that is mounted into the container. */
export function notifyFolder(stateDirectory: string): string {
  return `${stateDirectory}/notify`;
}

/** Makes the folder, before the container mounts it. */
export function makeNotifyFolder(folder: string): void {
  mkdirSync(folder);
  // whatever the umask
  chmodSync(folder, 0o755);
}

/** The container's socket, and where its messages go. */
export interface NotifyProxy {
  socket: number;
  /** Value of NOTIFY_SOCKET. */
  host: string;
}

/**
 * Binds the container's socket.
 *
 * @param host - NOTIFY_SOCKET of this process
 * @returns undefined for a container that was made without
 * @throws RuntsError E_SYSCALL
 */
export function bindNotifySocket(folder: string, host: string): NotifyProxy | undefined {
  if (!existsSync(folder)) return undefined;
  const what = 'cannot make the socket for sd_notify';
  const directory = syscall('openat', [AT.FDCWD, folder, O.PATH | O.DIRECTORY | O.CLOEXEC, 0], { what });
  const socket = syscall('socket', [AF.UNIX, SOCK.DGRAM | SOCK.CLOEXEC, 0], { what });
  try {
    try {
      unlinkSync(`${folder}/${NAME}`);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
    const address = socketAddress(`/proc/self/fd/${directory}/${NAME}`);
    syscall('bind', [socket, address, address.length], { what });
    // The container's user may be any.
    chmodSync(`${folder}/${NAME}`, 0o777);
    return { socket, host };
  } catch (error) {
    closeSync(socket);
    throw error;
  } finally {
    closeSync(directory);
  }
}

/**
 * Passes messages on until the container is ready (`untilReady`), and then names its init as the main process; or
 * until it ends. Closes the socket. Never throws: that the manager can't be told is a warning.
 */
export async function proxyNotifications(
  { socket, host }: NotifyProxy,
  pid: number,
  untilReady: boolean,
): Promise<void> {
  const pidfd = pidfdOpen(pid);
  let manager = -1;
  try {
    manager = connectManager(host);
    while (pidfd !== undefined) {
      const [message = 0, end = 0] = await whenReady([
        { fd: socket, events: POLL.IN },
        { fd: pidfd, events: POLL.IN },
      ]);
      if ((message & POLL.IN) !== 0) {
        const lines = passedOn(receive(socket));
        if (lines.length > 0) send(manager, lines.join('\n'));
        if (untilReady && lines.includes('READY=1')) {
          send(manager, `MAINPID=${pid}`);
          barrier(manager);
          return;
        }
      } else if (end !== 0) return;
    }
  } catch (error) {
    log.warn(`NOTIFY_SOCKET=${host}: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    for (const fd of [socket, pidfd ?? -1, manager]) if (fd >= 0) closeSync(fd);
  }
}

/** Of a message the assignments that are the container's to make. */
export function passedOn(message: string): string[] {
  return message.split('\n').filter((line) => PASSED_ON.test(line) && !line.includes('\0'));
}

/** Descriptors in a message are not taken: the kernel drops them, and says so. */
function receive(socket: number): string {
  try {
    return new TextDecoder().decode(receiveDescriptors(socket, 4096, 0).data);
  } catch {
    return '';
  }
}

function send(manager: number, text: string): void {
  sendDescriptors(manager, utf8(`${text}\n`), []);
}

/** `@name` is an abstract socket. */
function connectManager(host: string): number {
  const what = 'cannot connect';
  const address = socketAddress(host.startsWith('@') ? `\0${host.slice(1)}` : host);
  const length = host.startsWith('@') ? address.length - 1 : address.length;
  const manager = syscall('socket', [AF.UNIX, SOCK.DGRAM | SOCK.CLOEXEC, 0], { what });
  try {
    syscall('connect', [manager, address, length], { what });
    return manager;
  } catch (error) {
    closeSync(manager);
    throw error;
  }
}

/** Waits until the manager has read everything: else it would ask who sent it when we are gone. */
function barrier(manager: number): void {
  const [ours, theirs] = pipe();
  try {
    sendDescriptors(manager, utf8('BARRIER=1'), [theirs]);
  } finally {
    closeSync(theirs);
  }
  try {
    poll([{ fd: ours, events: POLL.IN }], BARRIER_MS);
  } finally {
    closeSync(ours);
  }
}
