/**
 * Mount options: the strings of `mounts[].options` and what each means, in one table.
 *
 * Names: mount(8), mount_setattr(2) and the runtime-spec (config.md, "Linux mount options"). What is not in the table
 * is data for the file system.
 *
 * @module
 */

import { MOUNT_ATTR, MS } from '../../ffi/constants/index.ts';

/** The effect of one option. */
type Effect =
  /** Per-mount attributes to set and to clear; `recursive`: on the whole tree. */
  | { kind: 'attribute'; set: number; clear: number; recursive: boolean }
  /** A flag of the super block, passed to the file system by name. */
  | { kind: 'superblock'; name: string }
  | { kind: 'propagation'; flag: number; recursive: boolean }
  | { kind: 'bind'; recursive: boolean }
  | { kind: 'ignored' };

const ATIME = MOUNT_ATTR._ATIME;

function attribute(set: number, clear = 0, recursive = false): Effect {
  return { kind: 'attribute', set, clear, recursive };
}

/** Each attribute option exists plain and with a leading `r` for the whole tree. */
const ATTRIBUTES: Record<string, readonly [set: number, clear: number]> = {
  ro: [MOUNT_ATTR.RDONLY, 0],
  rw: [0, MOUNT_ATTR.RDONLY],
  nosuid: [MOUNT_ATTR.NOSUID, 0],
  suid: [0, MOUNT_ATTR.NOSUID],
  nodev: [MOUNT_ATTR.NODEV, 0],
  dev: [0, MOUNT_ATTR.NODEV],
  noexec: [MOUNT_ATTR.NOEXEC, 0],
  exec: [0, MOUNT_ATTR.NOEXEC],
  // The atime modes are an enumeration within the flags: every change clears the whole field (mount_setattr(2)).
  noatime: [MOUNT_ATTR.NOATIME, ATIME],
  atime: [MOUNT_ATTR.RELATIME, ATIME],
  relatime: [MOUNT_ATTR.RELATIME, ATIME],
  norelatime: [MOUNT_ATTR.STRICTATIME, ATIME],
  strictatime: [MOUNT_ATTR.STRICTATIME, ATIME],
  nostrictatime: [MOUNT_ATTR.RELATIME, ATIME],
  nodiratime: [MOUNT_ATTR.NODIRATIME, 0],
  diratime: [0, MOUNT_ATTR.NODIRATIME],
  nosymfollow: [MOUNT_ATTR.NOSYMFOLLOW, 0],
  symfollow: [0, MOUNT_ATTR.NOSYMFOLLOW],
};

const PROPAGATION: Record<string, number> = {
  private: MS.PRIVATE,
  shared: MS.SHARED,
  slave: MS.SLAVE,
  unbindable: MS.UNBINDABLE,
};

const TABLE: ReadonlyMap<string, Effect> = new Map<string, Effect>([
  ...Object.entries(ATTRIBUTES).flatMap(([name, [set, clear]]): [string, Effect][] => [
    [name, attribute(set, clear)],
    [`r${name}`, attribute(set, clear, true)],
  ]),
  ...Object.entries(PROPAGATION).flatMap(([name, flag]): [string, Effect][] => [
    [name, { kind: 'propagation', flag, recursive: false }],
    [`r${name}`, { kind: 'propagation', flag, recursive: true }],
  ]),
  ['bind', { kind: 'bind', recursive: false }],
  ['rbind', { kind: 'bind', recursive: true }],
  ['sync', { kind: 'superblock', name: 'sync' }],
  ['dirsync', { kind: 'superblock', name: 'dirsync' }],
  ['mand', { kind: 'superblock', name: 'mand' }],
  ['lazytime', { kind: 'superblock', name: 'lazytime' }],
  // The defaults, and what has no meaning for a fresh mount:
  ['defaults', { kind: 'ignored' }],
  ['async', { kind: 'ignored' }],
  ['nomand', { kind: 'ignored' }],
  ['nolazytime', { kind: 'ignored' }],
  ['iversion', { kind: 'ignored' }],
  ['noiversion', { kind: 'ignored' }],
  ['silent', { kind: 'ignored' }],
  ['loud', { kind: 'ignored' }],
  ['remount', { kind: 'ignored' }],
]);

/** The options of one mount, sorted by what they act on. */
export interface MountOptions {
  bind: 'no' | 'bind' | 'rbind';
  set: number;
  clear: number;
  recursiveSet: number;
  recursiveClear: number;
  superblock: string[];
  propagation: { flag: number; recursive: boolean }[];
  /** Options for the file system, in order. */
  data: { key: string; value: string | null }[];
}

/** Sorts options; of two that contradict each other the later one wins, as with mount(8). */
export function parseMountOptions(options: readonly string[]): MountOptions {
  const result: MountOptions = {
    bind: 'no',
    set: 0,
    clear: 0,
    recursiveSet: 0,
    recursiveClear: 0,
    superblock: [],
    propagation: [],
    data: [],
  };
  for (const option of options) {
    const effect = TABLE.get(option);
    if (effect === undefined) {
      const equals = option.indexOf('=');
      if (option !== '') {
        result.data.push(
          equals < 0
            ? { key: option, value: null }
            : { key: option.slice(0, equals), value: option.slice(equals + 1) },
        );
      }
      continue;
    }
    switch (effect.kind) {
      case 'attribute':
        if (effect.recursive) {
          result.recursiveSet = (result.recursiveSet & ~effect.clear) | effect.set;
          result.recursiveClear = (result.recursiveClear & ~effect.set) | effect.clear;
        } else {
          result.set = (result.set & ~effect.clear) | effect.set;
          result.clear = (result.clear & ~effect.set) | effect.clear;
        }
        break;
      case 'superblock':
        result.superblock.push(effect.name);
        break;
      case 'propagation':
        result.propagation.push(effect);
        break;
      case 'bind':
        result.bind = effect.recursive ? 'rbind' : 'bind';
        break;
      case 'ignored':
        break;
    }
  }
  return result;
}

/** Every option that is not file system data, sorted: what `features` prints as mountOptions. */
export function knownMountOptions(): string[] {
  return [...TABLE.keys()].sort();
}
