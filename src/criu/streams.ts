/**
 * The container's standard streams, which lead out of it: pipes and files that whoever restores it has others for.
 *
 * Pipes are known by their names in descriptors.json, which is as runc writes it. Files and devices of the host, which
 * runc's images can't have, are declared to CRIU by mount and inode; that, and which mounts were declared, stands in a
 * file of our own beside it.
 *
 * @see https://criu.org/Inheriting_FDs_on_restore
 * @module
 */

import { readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from '#files';
import { AT, S, STATX } from '../../ffi/constants/index.ts';
import { syscall } from '../../ffi/local.ts';
import { nativeBytes } from '../../ffi/native.ts';
import { errnoText } from '../cli/present.ts';
import { errnoOf, RuntsError } from '../errors.ts';
import type { InheritedDescriptor } from './messages.ts';

/** As runc and crun name it: engines copy it with the images. */
export const DESCRIPTORS = 'descriptors.json';
/** Of CRIU's own files the one that it reads first. */
const INVENTORY = 'inventory.img';
const WRONG_FOLDER = 'no checkpoint is there: give the folder that checkpoint wrote with --image-path';
const NOT_WHOLE = 'this is a pre-dump, or the checkpoint was not copied whole';
/** What else `restore` has to know. */
export const EXTERNALS = 'runts-external.json';

const STREAMS = [0, 1, 2] as const;
/** Major number of /dev/null, /dev/zero and the like. */
const MEMORY_DEVICES = 1;

/** The three streams of a process. */
export interface Streams {
  /** What each leads to, as the links of /proc/PID/fd say it; empty for a closed one. */
  descriptors: string[];
  /** CRIU's name for a file of the host, and the number of the stream. */
  files: Record<string, number>;
}

/** What a descriptor leads to. */
interface Target {
  /** As the link says it. */
  link: string;
  /** It is a file of the host: CRIU's name for it. */
  name?: string;
  /** It lies on a mount of the container. */
  inside: boolean;
}

/** Shells put a stream aside while a command of their own has another, at this number or above. */
const ASIDE = 10;
/** How often a process is looked at that may be changing its streams. */
const LOOKS = 3;

/** @param mounts - ids of the mounts in the container: a file on any other is the host's */
export function streamsOf(pid: number, mounts: ReadonlySet<number>): Streams {
  let targets = STREAMS.map((fd) => targetOf(pid, fd, mounts));
  for (let look = 1; look < LOOKS && targets.some((target) => target?.inside); look++) {
    const aside = putAside(pid, mounts, targets);
    if (aside.length > 0) {
      targets = targets.map((target) => (target?.inside ? (aside.shift() ?? target) : target));
      break;
    }
    targets = STREAMS.map((fd) => targetOf(pid, fd, mounts));
  }
  const streams: Streams = { descriptors: targets.map((target) => target?.link ?? ''), files: {} };
  targets.forEach((target, fd) => {
    if (target?.name !== undefined) streams.files[target.name] ??= fd;
  });
  return streams;
}

/** What leads out of the container, and is none of its streams at the moment. */
function putAside(
  pid: number,
  mounts: ReadonlySet<number>,
  streams: readonly (Target | undefined)[],
): Target[] {
  const known = new Set(streams.map((target) => target?.link));
  const found: Target[] = [];
  for (const name of readdirSync(`/proc/${pid}/fd`)) {
    const target = Number(name) < ASIDE ? undefined : targetOf(pid, Number(name), mounts);
    if (target === undefined || known.has(target.link)) continue;
    if (target.name !== undefined || target.link.startsWith('pipe:')) found.push(target);
  }
  return found;
}

/** @returns undefined for a closed one */
function targetOf(pid: number, fd: number, mounts: ReadonlySet<number>): Target | undefined {
  const path = `/proc/${pid}/fd/${fd}`;
  try {
    const link = readlinkSync(path);
    const mount = Number(
      /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1'))?.[1] ?? 'none',
    );
    if (mounts.has(mount)) return { link, inside: true };
    const inode = fileInode(path);
    if (inode === undefined || Number.isNaN(mount)) return { link, inside: false };
    return { link, inside: false, name: `file[${mount.toString(16)}:${inode.toString(16)}]` };
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return undefined;
  }
}

/** The number of a file, or of a device like /dev/null: all 64 bits, of which overlayfs uses the uppermost. */
function fileInode(path: string): bigint | undefined {
  // struct statx: mode at 28, ino at 32, rdev_major at 128
  const statx = new DataView(nativeBytes(256).buffer);
  syscall('statx', [AT.FDCWD, path, 0, STATX.TYPE | STATX.INO, new Uint8Array(statx.buffer)]);
  const type = statx.getUint16(28, true) & S.IFMT;
  const isDevice = type === S.IFCHR && statx.getUint32(128, true) === MEMORY_DEVICES;
  return type === S.IFREG || isDevice ? statx.getBigUint64(32, true) : undefined;
}

/** The content of {@link EXTERNALS}. */
export interface Externals {
  /** The table of nftables that holds connections. */
  lock?: string;
  mounts: string[];
  files: Record<string, number>;
}

/** Writes both files into the image folder. @throws RuntsError E_SYSCALL */
export function saveStreams(
  folder: string,
  { descriptors, files }: Streams,
  mounts: string[],
  lock?: string,
): void {
  const externals: Externals = { mounts, files, ...(lock === undefined ? {} : { lock }) };
  for (const [name, content] of [
    [DESCRIPTORS, descriptors],
    [EXTERNALS, externals],
  ] as const) {
    const path = `${folder}/${name}`;
    try {
      writeFileSync(path, JSON.stringify(content), { mode: 0o600 });
    } catch (error) {
      throw imageError('write', path, error);
    }
  }
}

/** Tells a folder that no checkpoint was written to, before anything is made. @throws RuntsError E_SYSCALL */
export function checkImages(folder: string): void {
  const path = `${folder}/${INVENTORY}`;
  try {
    statSync(path);
  } catch (error) {
    throw imageError('stat', path, error, errnoOf(error) === 'ENOENT' ? WRONG_FOLDER : undefined);
  }
}

/** The two files; images of runc have only the first. */
export function readStreams(folder: string): Omit<Externals, 'files'> & { inherited: InheritedDescriptor[] } {
  const descriptors = readJson(`${folder}/${DESCRIPTORS}`);
  if (!Array.isArray(descriptors)) throw damaged(`${folder}/${DESCRIPTORS}`, 'not a list');
  const inherited = descriptors.flatMap((key, fd) =>
    typeof key === 'string' && key.includes('pipe:') ? [{ key, fd }] : [],
  );
  const externals = readJson(`${folder}/${EXTERNALS}`, true) as Partial<Externals> | undefined;
  for (const key in externals?.files) {
    // CRIU would open the file anew, which its mode may not allow to a container's root, and at the old position. Found
    // by its path it is taken as it is; a path is kept without its first letter, which elsewhere is a slash.
    inherited.push({ key: key.slice(1), fd: externals.files[key]! });
  }
  return { inherited, mounts: externals?.mounts ?? [], lock: externals?.lock };
}

function readJson(path: string, mayBeMissing = false): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (mayBeMissing && errnoOf(error) === 'ENOENT') return undefined;
    throw imageError('open', path, error, errnoOf(error) === 'ENOENT' ? NOT_WHOLE : undefined);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw damaged(path, error instanceof Error ? error.message : String(error));
  }
}

function damaged(path: string, what: string): RuntsError {
  return new RuntsError('E_CONFIG_SYNTAX', `${path}: ${what}`, { hint: 'the checkpoint is damaged' });
}

/** A failed call on a file of the images. */
export function imageError(syscall: string, path: string, error: unknown, hint?: string): RuntsError {
  const errno = errnoOf(error);
  const hints: Record<string, string> = {
    ENOSPC: 'make room on that file system, or choose another --image-path',
    EDQUOT: 'make room on that file system, or choose another --image-path',
    EROFS: 'choose a writable folder with --image-path',
    EACCES: 'choose a writable folder with --image-path',
    ENOENT: 'its parent folder must exist',
  };
  return new RuntsError('E_SYSCALL', `${syscall} ${path}: ${errnoText(error)}`, {
    syscall,
    errno,
    hint: hint ?? hints[errno ?? ''],
    cause: error,
  });
}
