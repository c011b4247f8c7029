/**
 * `tmpcopyup`, the parent's part: says which calls init is to make so that a folder's content is copied into another.
 *
 * Nothing is opened here. Every call names a descriptor of init and one plain name that init has read from a folder, and
 * follows no symlink, so that whoever changes the folder meanwhile gains nothing.
 *
 * @module
 */

import { MESSAGE, TYPE } from '../../ffi/abi.ts';
import { AT, ERRNO, errnoName, errnoText, O, S, STATX } from '../../ffi/constants/index.ts';
import { restartingSyscall } from '../../ffi/local.ts';
import { utf8 } from '../../ffi/text.ts';
import { RuntsError } from '../errors.ts';
import { DONE, HANDS, type HandName, OUTPUT_SIZE, REQUEST } from '../plan/copy-up.ts';
import { TAG } from '../plan/protocol.ts';
import type { Channel } from './channel.ts';

/** Every level of folders takes two descriptors of init. */
const MAX_DEPTH = 200;
const STATX_SIZE = 256;
const CHUNK = 1 << 30;

export interface CopyUpRequest {
  field: string;
  path: string;
  /** The new root gets the owner of the folder. */
  owner: boolean;
}

/** Copies, and lets init go on. Throws RuntsError E_INIT. */
export function copyUp(channel: Channel, { field, path, owner }: CopyUpRequest): void {
  const note = channel.expect(TAG.COPY_UP);
  const folders = BigInt(note.value);
  if (folders === 0n) return;
  const hands = new Hands(channel, field, path);
  const [from, to] = [Number(folders & 0xffffffffn), Number(folders >> 32n)];
  copyContent(hands, { from, to, depth: 0 });
  if (owner) {
    const { uid, gid } = hands.stat(from, EMPTY);
    hands.own(to, EMPTY, uid, gid);
  }
  hands.done();
}

const EMPTY = new Uint8Array(0);

interface Attributes {
  mode: number;
  uid: number;
  gid: number;
  device: number;
  /** Access and modification, two struct timespec. */
  times: Uint8Array;
}

/** Init's system calls, one at a time. */
class Hands {
  private readonly channel: Channel;
  private readonly field: string;
  private readonly path: string;
  /** Where we are below the folder, for errors. */
  readonly trail: Uint8Array[] = [];
  private readonly request = new Uint8Array(REQUEST.SIZE);
  private readonly view = new DataView(this.request.buffer);
  private readonly message = new Uint8Array(OUTPUT_SIZE);

  constructor(channel: Channel, field: string, path: string) {
    this.channel = channel;
    this.field = field;
    this.path = path;
  }

  /**
   * Has a call made.
   *
   * @param tolerate - errnos that are no failure; the result is negative then
   */
  call(
    name: HandName,
    args: readonly number[],
    strings: { name?: Uint8Array; text?: Uint8Array; wanted?: number } = {},
    tolerate: readonly number[] = [],
  ): { result: number; output: Uint8Array } {
    const { request, view } = this;
    const { name: component = EMPTY, text, wanted = 0 } = strings;
    view.setBigInt64(REQUEST.CALL, BigInt(HANDS.findIndex(([known]) => known === name) + 1), true);
    for (let i = 0; i < 4; i++) view.setBigInt64(REQUEST.ARGS + 8 * i, BigInt(args[i] ?? 0), true);
    view.setBigInt64(REQUEST.WANTED, BigInt(wanted), true);
    if (component.length >= REQUEST.NAME_SIZE) throw this.failure(name, ERRNO.ENAMETOOLONG);
    request.set(component, REQUEST.NAME);
    request[REQUEST.NAME + component.length] = 0;
    let size = REQUEST.NAME + component.length + 1;
    if (text !== undefined) {
      if (text.length >= REQUEST.TEXT_SIZE) throw this.failure(name, ERRNO.ENAMETOOLONG);
      request.set(text, REQUEST.TEXT);
      request[REQUEST.TEXT + text.length] = 0;
      size = REQUEST.TEXT + text.length + 1;
    }
    this.send(size);
    const { result, output } = this.answer();
    if (result < 0 && !tolerate.includes(-result)) throw this.failure(name, -result);
    return { result, output };
  }

  /** The first bytes of what the last call gave, where they are too many for an answer. */
  fetch(length: number): Uint8Array {
    if (length === 0) return EMPTY;
    this.view.setBigInt64(REQUEST.CALL, BigInt(HANDS.length), true);
    this.view.setBigInt64(REQUEST.ARGS, BigInt(length), true);
    this.view.setBigInt64(REQUEST.WANTED, 0n, true);
    this.send(REQUEST.NAME);
    const bytes = this.receive().slice();
    this.answer();
    return bytes;
  }

  stat(folder: number, name: Uint8Array): Attributes {
    const flags = AT.SYMLINK_NOFOLLOW | (name.length === 0 ? AT.EMPTY_PATH : 0);
    const args = [folder, flags, STATX.BASIC_STATS];
    const { output } = this.call('statx', args, { name, wanted: STATX_SIZE });
    const view = new DataView(output.buffer, output.byteOffset, output.length);
    const times = new Uint8Array(32);
    const to = new DataView(times.buffer);
    // struct statx: mode at 28, uid 20, gid 24, atime 64, mtime 112, rdev 128
    for (const [offset, place] of [
      [64, 0],
      [112, 16],
    ] as const) {
      to.setBigInt64(place, view.getBigInt64(offset, true), true);
      to.setBigInt64(place + 8, BigInt(view.getUint32(offset + 8, true)), true);
    }
    const [major, minor] = [view.getUint32(128, true), view.getUint32(132, true)];
    return {
      mode: view.getUint16(28, true),
      uid: view.getUint32(20, true),
      gid: view.getUint32(24, true),
      device: (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12),
      times,
    };
  }

  /** Ids that the container's user namespace doesn't map can't be given to anybody. */
  own(folder: number, name: Uint8Array, uid: number, gid: number): void {
    const flags = AT.SYMLINK_NOFOLLOW | (name.length === 0 ? AT.EMPTY_PATH : 0);
    this.call('fchownat', [folder, uid, gid, flags], { name }, [ERRNO.EINVAL]);
  }

  done(): void {
    this.view.setBigInt64(REQUEST.CALL, BigInt(DONE), true);
    this.send(REQUEST.NAME);
  }

  failure(call: string, errno: number): RuntsError {
    const decoder = new TextDecoder();
    const where = [this.path.replace(/\/+$/, ''), ...this.trail.map((name) => decoder.decode(name))].join(
      '/',
    );
    const name = errnoName(errno);
    return new RuntsError(
      'E_INIT',
      `${this.field}.options: tmpcopyup: ${call} ${JSON.stringify(where)}: ${errnoText(errno)} (${name})`,
      {
        field: `${this.field}.options`,
        syscall: call,
        errno: name,
        hint:
          errno === ERRNO.ENOSPC
            ? 'size= or nr_inodes= of the tmpfs is too small for the content'
            : undefined,
      },
    );
  }

  private send(size: number): void {
    const bytes = this.request.subarray(0, size);
    restartingSyscall('write', [this.channel.socket, bytes, size]);
  }

  private receive(): Uint8Array {
    const { message } = this;
    const length = restartingSyscall('read', [this.channel.socket, message, message.length]);
    // Init is dead: the end of file is told as for every other note.
    if (length === 0) this.channel.expect(TAG.ANSWER);
    return message.subarray(0, length);
  }

  private answer(): { result: number; output: Uint8Array } {
    const bytes = this.receive();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (
      bytes.length < MESSAGE.SIZE ||
      view.getUint32(MESSAGE.TYPE, true) !== TYPE.NOTE ||
      view.getBigInt64(MESSAGE.A, true) !== BigInt(TAG.ANSWER)
    ) {
      throw new RuntsError('E_INTERNAL', `${this.field}: init gave no answer`);
    }
    return { result: Number(view.getBigInt64(MESSAGE.B, true)), output: bytes.slice(MESSAGE.SIZE) };
  }
}

interface Folders {
  from: number;
  to: number;
  depth: number;
}

function copyContent(hands: Hands, folders: Folders): void {
  if (folders.depth > MAX_DEPTH) throw hands.failure('openat', ERRNO.ELOOP);
  for (const name of names(hands, folders.from)) {
    hands.trail.push(name);
    copyEntry(hands, folders, name);
    hands.trail.pop();
  }
}

/** What is in a folder: struct linux_dirent64, getdents(2). */
function names(hands: Hands, folder: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (;;) {
    const { result } = hands.call('getdents64', [folder, OUTPUT_SIZE]);
    if (result === 0) return found;
    const entries = hands.fetch(result);
    const view = new DataView(entries.buffer, entries.byteOffset, entries.length);
    for (let at = 0; at < entries.length; at += view.getUint16(at + 16, true)) {
      const end = entries.indexOf(0, at + 19);
      const name = entries.slice(at + 19, end);
      const isDots = name.every((byte) => byte === 0x2e) && name.length <= 2;
      if (!isDots) found.push(name);
    }
  }
}

function copyEntry(hands: Hands, { from, to, depth }: Folders, name: Uint8Array): void {
  const attributes = hands.stat(from, name);
  const { mode, uid, gid } = attributes;
  switch (mode & S.IFMT) {
    case S.IFDIR: {
      hands.call('mkdirat', [to, 0o700], { name });
      const flags = O.RDONLY | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC;
      const inner = open(hands, from, name, flags);
      const copy = open(hands, to, name, flags);
      copyContent(hands, { from: inner, to: copy, depth: depth + 1 });
      finishCopy(hands, inner, copy, attributes);
      return;
    }
    case S.IFREG: {
      // Not to wait, should it be a FIFO by now.
      const original = open(hands, from, name, O.RDONLY | O.NOFOLLOW | O.NONBLOCK | O.CLOEXEC);
      const copy = open(hands, to, name, O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW | O.CLOEXEC);
      while (hands.call('sendfile', [copy, original, 0, CHUNK]).result > 0);
      finishCopy(hands, original, copy, attributes);
      return;
    }
    case S.IFLNK: {
      const { result } = hands.call('readlinkat', [from, REQUEST.TEXT_SIZE], { name });
      hands.call('symlinkat', [to], { name, text: hands.fetch(result) });
      break;
    }
    default: {
      const args = [to, mode, attributes.device];
      // A container in a user namespace makes no devices.
      if (hands.call('mknodat', args, { name }, [ERRNO.EPERM]).result < 0) return;
    }
  }
  hands.own(to, name, uid, gid);
  hands.call('utimensat', [to, AT.SYMLINK_NOFOLLOW], { name, text: attributes.times });
}

function open(hands: Hands, folder: number, name: Uint8Array, flags: number): number {
  return hands.call('openat', [folder, flags, 0o600], { name }).result;
}

/** Owner first, as it clears bits of the mode and capabilities; the times last. */
function finishCopy(
  hands: Hands,
  original: number,
  copy: number,
  { mode, uid, gid, times }: Attributes,
): void {
  hands.own(copy, EMPTY, uid, gid);
  hands.call('fchmod', [copy, mode & 0o7777]);
  copyExtendedAttributes(hands, original, copy);
  hands.call('utimensat', [copy, AT.EMPTY_PATH], { text: times }, [ERRNO.EINVAL, ERRNO.ENOENT]);
  hands.call('close', [original]);
  hands.call('close', [copy]);
}

/** Those that are the file's own; labels are the new file system's. */
const COPIED = /^(user\.|security\.capability$|system\.posix_acl_(access|default)$)/;
const NOT_THERE = [ERRNO.EOPNOTSUPP, ERRNO.EPERM, ERRNO.ENODATA, ERRNO.ERANGE, ERRNO.EACCES, ERRNO.EINVAL];

function copyExtendedAttributes(hands: Hands, original: number, copy: number): void {
  const { result } = hands.call('flistxattr', [original, OUTPUT_SIZE], {}, NOT_THERE);
  if (result <= 0) return;
  const list = new TextDecoder().decode(hands.fetch(result)).split('\0');
  for (const text of list.filter((one) => COPIED.test(one))) {
    const name = utf8(text);
    const size = hands.call('fgetxattr', [original, OUTPUT_SIZE], { name }, NOT_THERE).result;
    if (size < 0 || size >= REQUEST.TEXT_SIZE) continue;
    hands.call('fsetxattr', [copy, size, 0], { name, text: hands.fetch(size) }, NOT_THERE);
  }
}
