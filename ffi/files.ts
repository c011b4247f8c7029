/**
 * The calls of node:fs that commands make, by system calls: what `#files` is under QuickJS.
 *
 * Names, arguments and errors (`code`, `syscall`, `path`, message) are node:fs's, as far as they are used here; under
 * Node `#files` is node:fs itself (files-node.ts). files.test.ts compares the two.
 *
 * @module
 */

import { errnoName, errnoText } from './constants/errno.ts';
import { ACCESS, AT, O, S, STATX } from './constants/file.ts';
import { trySyscall } from './local.ts';
import type { NativeArg } from './native.ts';
import type { SyscallName } from './syscalls.ts';
import { fromUtf8, utf8 } from './text.ts';

/** open(2) flags and access(2) modes under node:fs's names. */
export const constants = {
  O_RDONLY: O.RDONLY,
  O_WRONLY: O.WRONLY,
  O_RDWR: O.RDWR,
  O_CREAT: O.CREAT,
  O_EXCL: O.EXCL,
  O_TRUNC: O.TRUNC,
  O_APPEND: O.APPEND,
  O_NOCTTY: O.NOCTTY,
  O_NONBLOCK: O.NONBLOCK,
  O_DIRECTORY: O.DIRECTORY,
  O_NOFOLLOW: O.NOFOLLOW,
  F_OK: ACCESS.F_OK,
  W_OK: ACCESS.W_OK,
  X_OK: ACCESS.X_OK,
} as const;

/** What kind of file, and which. */
export interface Stats {
  dev: number;
  ino: number;
  mode: number;
  rdev: number;
  uid: number;
  size: number;
  /** When the content last changed, in milliseconds since 1970. */
  mtimeMs: number;
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
  isCharacterDevice(): boolean;
  isFIFO(): boolean;
}

const EINTR = 4;
/** sizeof(struct statx) in 32-bit words. */
const STATX_WORDS = 64;
const CHUNK = 65536;

/** A failed call, as node:fs tells of it. */
export class FileError extends Error {
  readonly errno: number;
  readonly code: string;
  readonly syscall: string;
  readonly path?: string;
  readonly dest?: string;

  constructor(failure: number, syscall: string, path?: string, dest?: string) {
    const code = errnoName(failure);
    const where = path === undefined ? '' : dest === undefined ? ` '${path}'` : ` '${path}' -> '${dest}'`;
    super(`${code}: ${errnoText(failure)}, ${syscall}${where}`);
    this.errno = -failure;
    this.code = code;
    this.syscall = syscall;
    if (path !== undefined) this.path = path;
    if (dest !== undefined) this.dest = dest;
  }
}

/** Makes a call, again while a signal interrupts it. `shown` is what node:fs calls it. */
function call(
  name: SyscallName,
  args: readonly NativeArg[],
  shown: string,
  path?: string,
  dest?: string,
): number {
  for (;;) {
    const result = trySyscall(name, args);
    if (result >= 0) return result;
    if (result !== -EINTR) throw new FileError(-result, shown, path, dest);
  }
}

/** A descriptor that is close-on-exec, as all of node:fs's are. */
export function openSync(path: string, flags: number | 'r', mode = 0o666): number {
  const wanted = flags === 'r' ? O.RDONLY : flags;
  return call('openat', [AT.FDCWD, path, wanted | O.CLOEXEC, mode], 'open', path);
}

export function closeSync(fd: number): void {
  // Not again after EINTR: the descriptor is closed by then.
  const result = trySyscall('close', [fd]);
  if (result < 0 && result !== -EINTR) throw new FileError(-result, 'close');
}

/** Reads at most `length` bytes to `offset`, from where the file stands or from `position`. */
export function readSync(
  fd: number,
  buffer: Uint8Array,
  offset: number,
  length: number,
  position: number | null,
): number {
  const into = buffer.subarray(offset, offset + length);
  if (position === null) return call('read', [fd, into, length], 'read');
  return call('pread64', [fd, into, length, position], 'read');
}

/** Writes once; gives how many bytes were taken. */
export function writeSync(fd: number, data: string | Uint8Array, offset = 0, length?: number): number {
  const bytes = typeof data === 'string' ? utf8(data) : data;
  const part =
    offset === 0 && length === undefined ? bytes : bytes.subarray(offset, offset + (length ?? bytes.length));
  return call('write', [fd, part, part.length], 'write');
}

/** A file's content. `latin1` is for what the kernel writes: on ASCII it agrees with `utf8`, which is what is read. */
export function readFileSync(file: string | number): Uint8Array;
export function readFileSync(file: string | number, encoding: 'utf8' | 'latin1'): string;
export function readFileSync(file: string | number, encoding?: 'utf8' | 'latin1'): string | Uint8Array {
  const fd = typeof file === 'number' ? file : openSync(file, O.RDONLY);
  try {
    const bytes = readAll(fd);
    return encoding === undefined ? bytes.slice() : fromUtf8(bytes);
  } finally {
    if (fd !== file) closeSync(fd);
  }
}

let scratch: Uint8Array | undefined;

/** Everything up to the end of a file, in memory that the next call uses again. */
function readAll(fd: number): Uint8Array {
  scratch ??= new Uint8Array(new ArrayBuffer(CHUNK));
  for (let length = 0; ; ) {
    const got = call('read', [fd, scratch.subarray(length), scratch.length - length], 'read');
    if (got === 0) return scratch.subarray(0, length);
    length += got;
    if (length < scratch.length) continue;
    const bigger: Uint8Array = new Uint8Array(new ArrayBuffer(2 * scratch.length));
    bigger.set(scratch);
    scratch = bigger;
  }
}

export function writeFileSync(
  path: string,
  data: string | Uint8Array,
  options: { mode?: number; flag?: 'w' | 'wx' } = {},
): void {
  const flags = O.WRONLY | O.CREAT | (options.flag === 'wx' ? O.EXCL : O.TRUNC);
  const fd = openSync(path, flags, options.mode);
  try {
    let rest: Uint8Array = typeof data === 'string' ? utf8(data) : data;
    // At least once: a write of nothing is one to the kernel's own files too.
    do rest = rest.subarray(call('write', [fd, rest, rest.length], 'write', path));
    while (rest.length > 0);
  } finally {
    closeSync(fd);
  }
}

export function mkdirSync(path: string, options: number | { recursive: true; mode?: number } = 0o777): void {
  if (typeof options === 'number') {
    call('mkdirat', [AT.FDCWD, path, options], 'mkdir', path);
    return;
  }
  const mode = options.mode ?? 0o777;
  const result = trySyscall('mkdirat', [AT.FDCWD, path, mode]);
  if (result >= 0 || (result === -EEXIST && statSync(path).isDirectory())) return;
  const parent = path.slice(0, path.lastIndexOf('/'));
  if (result !== -ENOENT || parent === '') throw new FileError(-result, 'mkdir', path);
  mkdirSync(parent, options);
  // Again from the beginning: by now somebody else may have made it.
  mkdirSync(path, options);
}

export function rmdirSync(path: string): void {
  call('unlinkat', [AT.FDCWD, path, AT.REMOVEDIR], 'rmdir', path);
}

export function unlinkSync(path: string): void {
  call('unlinkat', [AT.FDCWD, path, 0], 'unlink', path);
}

export function linkSync(from: string, to: string): void {
  call('linkat', [AT.FDCWD, from, AT.FDCWD, to, 0], 'link', from, to);
}

export function renameSync(from: string, to: string): void {
  call('renameat2', [AT.FDCWD, from, AT.FDCWD, to, 0], 'rename', from, to);
}

/** Removes a file or a folder with all that is in it; nothing there is fine. */
export function rmSync(path: string, options: { recursive?: true; force: true }): void {
  const stats = status(AT.FDCWD, path, AT.SYMLINK_NOFOLLOW, 'lstat', true);
  if (stats === undefined) return;
  if (!stats.isDirectory()) {
    unlinkSync(path);
    return;
  }
  for (const name of readdirSync(path)) rmSync(`${path}/${name}`, options);
  rmdirSync(path);
}

export function chmodSync(path: string, mode: number): void {
  call('fchmodat', [AT.FDCWD, path, mode], 'chmod', path);
}

/** Follows symbolic links, as chown(2). */
export function chownSync(path: string, uid: number, gid: number): void {
  call('fchownat', [AT.FDCWD, path, uid, gid, 0], 'chown', path);
}

export function accessSync(path: string, mode: number = ACCESS.F_OK): void {
  call('faccessat2', [AT.FDCWD, path, mode, 0], 'access', path);
}

export function existsSync(path: string): boolean {
  return !path.includes('\0') && trySyscall('faccessat2', [AT.FDCWD, path, ACCESS.F_OK, 0]) >= 0;
}

export function readlinkSync(path: string): string {
  const buffer = new Uint8Array(new ArrayBuffer(4096));
  const length = call('readlinkat', [AT.FDCWD, path, buffer, buffer.length], 'readlink', path);
  return fromUtf8(buffer.subarray(0, length));
}

/** What stands in a folder. */
export interface Entry {
  name: string;
  isDirectory(): boolean;
}

const DT_DIR = 4;

export function readdirSync(path: string): string[];
export function readdirSync(path: string, options: { withFileTypes: true }): Entry[];
export function readdirSync(path: string, options?: { withFileTypes: true }): (string | Entry)[] {
  const fd = call('openat', [AT.FDCWD, path, O.RDONLY | O.DIRECTORY | O.CLOEXEC, 0], 'scandir', path);
  try {
    const entries: (string | Entry)[] = [];
    const buffer = new Uint8Array(new ArrayBuffer(CHUNK));
    for (;;) {
      const length = call('getdents64', [fd, buffer, buffer.length], 'scandir', path);
      if (length === 0) return entries;
      // struct linux_dirent64, getdents(2): u64 ino, u64 off, u16 reclen, u8 type, name
      for (let at = 0; at < length; at += buffer[at + 16]! | (buffer[at + 17]! << 8)) {
        const name = fromUtf8(buffer.subarray(at + 19, buffer.indexOf(0, at + 19)));
        if (name === '.' || name === '..') continue;
        const directory = buffer[at + 18] === DT_DIR;
        entries.push(options === undefined ? name : { name, isDirectory: () => directory });
      }
    }
  } finally {
    closeSync(fd);
  }
}

/** Of statfs(2) the kind of file system. */
export function statfsSync(path: string): { type: number } {
  const fd = call('openat', [AT.FDCWD, path, O.PATH | O.CLOEXEC, 0], 'statfs', path);
  try {
    const words = new Int32Array(new ArrayBuffer(120));
    call('fstatfs', [fd, words], 'statfs', path);
    return { type: words[0]! >>> 0 };
  } finally {
    closeSync(fd);
  }
}

/** The kernel's own answer, by a descriptor of the file: /proc must be mounted. */
export function realpathSync(path: string): string {
  const fd = call('openat', [AT.FDCWD, path, O.PATH | O.CLOEXEC, 0], 'realpath', path);
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } finally {
    closeSync(fd);
  }
}

export function statSync(path: string): Stats;
export function statSync(path: string, options: { throwIfNoEntry: false }): Stats | undefined;
export function statSync(path: string, options?: { throwIfNoEntry: false }): Stats | undefined {
  return status(AT.FDCWD, path, 0, 'stat', options?.throwIfNoEntry === false);
}

export function lstatSync(path: string): Stats {
  return status(AT.FDCWD, path, AT.SYMLINK_NOFOLLOW, 'lstat', false)!;
}

export function fstatSync(fd: number): Stats {
  return status(fd, '', AT.EMPTY_PATH, 'fstat', false)!;
}

const ENOENT = 2;
const EEXIST = 17;

function status(
  dirfd: number,
  path: string,
  flags: number,
  shown: string,
  mayLack: boolean,
): Stats | undefined {
  const words = new Int32Array(new ArrayBuffer(4 * STATX_WORDS));
  const result = trySyscall('statx', [dirfd, path, flags, STATX.BASIC_STATS, words]);
  if (result < 0) {
    if (mayLack && result === -ENOENT) return undefined;
    throw new FileError(-result, shown, path === '' ? undefined : path);
  }
  return new Status(words);
}

/** struct statx, statx(2). Of what a file has, a caller wants a field or two. */
class Status implements Stats {
  readonly #words: Int32Array;

  constructor(words: Int32Array) {
    this.#words = words;
  }

  #word(index: number): number {
    return this.#words[index]! >>> 0;
  }

  get mode(): number {
    return this.#words[7]! & 0xffff;
  }
  get uid(): number {
    return this.#word(5);
  }
  get ino(): number {
    return this.#word(8) + this.#word(9) * 2 ** 32;
  }
  get size(): number {
    return this.#word(10) + this.#word(11) * 2 ** 32;
  }
  get mtimeMs(): number {
    return (this.#words[29]! * 2 ** 32 + this.#word(28)) * 1000 + this.#word(30) / 1e6;
  }
  get rdev(): number {
    return deviceNumber(this.#word(32), this.#word(33));
  }
  get dev(): number {
    return deviceNumber(this.#word(34), this.#word(35));
  }

  #is(type: number): boolean {
    return (this.mode & S.IFMT) === type;
  }

  isFile(): boolean {
    return this.#is(S.IFREG);
  }
  isDirectory(): boolean {
    return this.#is(S.IFDIR);
  }
  isSymbolicLink(): boolean {
    return this.#is(S.IFLNK);
  }
  isCharacterDevice(): boolean {
    return this.#is(S.IFCHR);
  }
  isFIFO(): boolean {
    return this.#is(S.IFIFO);
  }
}

/** As gnu_dev_makedev(3), for the numbers that the kernel gives out: 12 bits of major, 20 of minor. */
function deviceNumber(major: number, minor: number): number {
  return (minor & 0xff) + (major & 0xfff) * 2 ** 8 + (minor & 0xfff00) * 2 ** 12;
}
