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
  /** A flag of mount(2) that is the super block's, or the call's own. */
  | { kind: 'flag'; flag: number; on: boolean }
  | { kind: 'propagation'; flag: number; recursive: boolean }
  | { kind: 'bind'; recursive: boolean }
  | { kind: 'idmap'; recursive: boolean }
  | { kind: 'tmpcopyup' }
  | { kind: 'remount' }
  | { kind: 'symlinks'; on: keyof SymlinkOptions }
  | { kind: 'ignored' };

/** What a bind mount does with symlinks, crun(1). By default they are followed: the destination's inside the root. */
export interface SymlinkOptions {
  /** A source that is a symlink is made again at the destination, as a symlink. */
  copySymlink: boolean;
  /** A source that is a symlink is mounted itself. */
  sourceNoFollow: boolean;
  /** A destination that is a symlink is mounted on itself. */
  destinationNoFollow: boolean;
}

const ATIME = MOUNT_ATTR._ATIME;

/** Attributes of a mount: what is set and what is cleared. */
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

/** Flags by option, set or cleared. */
const FLAGS: Record<string, readonly [flag: number, on: boolean]> = {
  sync: [MS.SYNCHRONOUS, true],
  async: [MS.SYNCHRONOUS, false],
  dirsync: [MS.DIRSYNC, true],
  mand: [MS.MANDLOCK, true],
  nomand: [MS.MANDLOCK, false],
  lazytime: [MS.LAZYTIME, true],
  nolazytime: [MS.LAZYTIME, false],
  iversion: [MS.I_VERSION, true],
  noiversion: [MS.I_VERSION, false],
  silent: [MS.SILENT, true],
  loud: [MS.SILENT, false],
};

const OTHERS: Record<string, Effect> = {
  bind: { kind: 'bind', recursive: false },
  rbind: { kind: 'bind', recursive: true },
  idmap: { kind: 'idmap', recursive: false },
  ridmap: { kind: 'idmap', recursive: true },
  tmpcopyup: { kind: 'tmpcopyup' },
  remount: { kind: 'remount' },
  'copy-symlink': { kind: 'symlinks', on: 'copySymlink' },
  'src-nofollow': { kind: 'symlinks', on: 'sourceNoFollow' },
  'dest-nofollow': { kind: 'symlinks', on: 'destinationNoFollow' },
  defaults: { kind: 'ignored' },
};

/** What an option does; undefined for data of the file system. */
function effectOf(option: string): Effect | undefined {
  if (Object.hasOwn(OTHERS, option)) return OTHERS[option];
  if (Object.hasOwn(FLAGS, option)) {
    const [flag, on] = FLAGS[option]!;
    return { kind: 'flag', flag, on };
  }
  return (
    treeEffect(option, false) ?? (option.startsWith('r') ? treeEffect(option.slice(1), true) : undefined)
  );
}

/** Options that exist plain and, with a leading `r`, for the whole tree. */
function treeEffect(name: string, recursive: boolean): Effect | undefined {
  if (Object.hasOwn(ATTRIBUTES, name)) {
    const [set, clear] = ATTRIBUTES[name]!;
    return { kind: 'attribute', set, clear, recursive };
  }
  if (Object.hasOwn(PROPAGATION, name)) return { kind: 'propagation', flag: PROPAGATION[name]!, recursive };
  return undefined;
}

/** An option for the file system itself: `size=64k`, or a name without a value. */
export interface DataOption {
  key: string;
  value: string | null;
}

/** The options of one mount, sorted by what they act on. */
export interface MountOptions extends SymlinkOptions {
  bind: 'no' | 'bind' | 'rbind';
  set: number;
  clear: number;
  recursiveSet: number;
  recursiveClear: number;
  /** Flags of mount(2) that are no attributes of a mount. */
  flags: number;
  /** In order: each is a change of its own. */
  propagation: { flag: number; recursive: boolean }[];
  idmap: 'no' | 'mount' | 'tree';
  /** The mapping of `idmap=…`. */
  idmapText: string;
  copyUp: boolean;
  remount: boolean;
  /** Options for the file system, in order. */
  data: DataOption[];
}

/** Sorts options; of two that contradict each other the later one wins, as with mount(8). */
export function parseMountOptions(options: readonly string[]): MountOptions {
  const result: MountOptions = {
    bind: 'no',
    set: 0,
    clear: 0,
    recursiveSet: 0,
    recursiveClear: 0,
    flags: 0,
    propagation: [],
    idmap: 'no',
    idmapText: '',
    copyUp: false,
    remount: false,
    copySymlink: false,
    sourceNoFollow: false,
    destinationNoFollow: false,
    data: [],
  };
  for (const option of options) {
    const effect = effectOf(option);
    if (effect !== undefined) apply(effect, result);
    else if (option !== '') applyOther(option, result);
  }
  return result;
}

function apply(effect: Effect, result: MountOptions): void {
  switch (effect.kind) {
    case 'attribute':
      if (effect.recursive) {
        result.recursiveSet = (result.recursiveSet & ~effect.clear) | effect.set;
        result.recursiveClear = (result.recursiveClear & ~effect.set) | effect.clear;
      } else {
        result.set = (result.set & ~effect.clear) | effect.set;
        result.clear = (result.clear & ~effect.set) | effect.clear;
      }
      return;
    case 'flag':
      result.flags = effect.on ? result.flags | effect.flag : result.flags & ~effect.flag;
      return;
    case 'propagation':
      result.propagation.push(effect);
      return;
    case 'bind':
      result.bind = effect.recursive ? 'rbind' : 'bind';
      return;
    case 'idmap':
      result.idmap = effect.recursive ? 'tree' : 'mount';
      return;
    case 'tmpcopyup':
      result.copyUp = true;
      return;
    case 'remount':
      result.remount = true;
      return;
    case 'symlinks':
      result[effect.on] = true;
      return;
    case 'ignored':
      return;
  }
}

/** An option that is not in the table: a mapping, as crun writes it, or data for the file system. */
function applyOther(option: string, result: MountOptions): void {
  const equals = option.indexOf('=');
  const key = equals < 0 ? option : option.slice(0, equals);
  const value = equals < 0 ? null : option.slice(equals + 1);
  if (value !== null && (key === 'idmap' || key === 'ridmap')) {
    result.idmap = key === 'ridmap' ? 'tree' : 'mount';
    result.idmapText = value;
    return;
  }
  result.data.push({ key, value });
}

/** Every option that is not file system data, sorted: what `features` prints as mountOptions. */
export function knownMountOptions(): string[] {
  const plain = [...Object.keys(ATTRIBUTES), ...Object.keys(PROPAGATION)];
  const all = [...plain, ...plain.map((name) => `r${name}`), ...Object.keys(FLAGS), ...Object.keys(OTHERS)];
  return all.sort();
}
