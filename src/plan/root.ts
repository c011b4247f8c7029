/**
 * The only access to the container's file system: by descriptor, resolved by the kernel inside the root.
 *
 * Every path of the container goes through openat2(2) with RESOLVE_IN_ROOT, so that no symlink, `..` or race of a
 * hostile image can lead out, and every change (mkdir, mknod, symlink, mount) names a descriptor and one plain last
 * component. No other file of the planner passes a path inside the rootfs to a system call.
 *
 * @module
 */

import { posix } from 'node:path';
import { AT, O, OPEN_TREE, RESOLVE, S } from '../../ffi/constants/index.ts';
import type { Arg, Cell, Label, ProgramBuilder, Words } from '../../ffi/program.ts';
import { addressOf, valueIn, words } from '../../ffi/program.ts';

/** sizeof(struct open_how), openat2(2). */
const OPEN_HOW_SIZE = 24;
/** sizeof(struct statx), statx(2). */
const STATX_SIZE = 256;
const STATX_TYPE = 0x1;
const STATX_MODE = 0x2;

/** Lexically cleaned, without the leading slash; `.` for the root itself. */
export function relativeToRoot(path: string): string {
  const clean = posix.normalize(`/${path}`).replace(/\/+$/, '').slice(1);
  return clean === '' ? '.' : clean;
}

export interface OpenOptions {
  flags?: number;
  /** Refuse symlinks in the path altogether. */
  noSymlinks?: boolean;
  /** Where to go on when the path does not exist. */
  missing?: Label;
  note?: string;
}

/** Operations on the container's root, recorded on a program. */
export class RootAccess {
  readonly #program: ProgramBuilder;
  readonly #targets: ReadonlyMap<string, string> | undefined;
  /** The root's mount. */
  readonly fd: Cell;
  readonly #walk: readonly [Cell, Cell];
  readonly #statx: Cell;

  /**
   * @param targets - where paths lead that are symlinks to something missing: what is made then
   */
  constructor(program: ProgramBuilder, targets?: ReadonlyMap<string, string>) {
    this.#program = program;
    this.#targets = targets;
    this.fd = program.cell('root');
    this.#walk = [program.cell('walk0'), program.cell('walk1')];
    this.#statx = program.cell('statx', STATX_SIZE);
  }

  /** openat2 below the root; O_PATH and O_CLOEXEC unless other flags are given. */
  open(path: string, into: Cell, options: OpenOptions = {}): void {
    const flags = (options.flags ?? O.PATH) | O.CLOEXEC;
    this.#program.call(
      'openat2',
      [valueIn(this.fd), relativeToRoot(path), how(flags, 0, options.noSymlinks), OPEN_HOW_SIZE],
      {
        store: into,
        note: options.note,
        ...(options.missing === undefined ? {} : { tolerate: ['ENOENT', 'ENOTDIR'], goto: options.missing }),
      },
    );
  }

  /** Opens a folder, making it and its parents (mode 0755) where missing. */
  ensureDirectory(path: string, into: Cell, options: { noSymlinks?: boolean } = {}): void {
    const p = this.#program;
    const relative = relativeToRoot(path);
    const found = p.label('found');
    const create = p.label('create');
    const flags = O.PATH | O.DIRECTORY;
    p.call(
      'openat2',
      [valueIn(this.fd), relative, how(flags | O.CLOEXEC, 0, options.noSymlinks), OPEN_HOW_SIZE],
      {
        store: into,
        tolerate: ['ENOENT'],
        goto: create,
      },
    );
    p.jump(found);
    p.place(create);
    this.#createParents(this.#target(path).split('/'), into);
    p.place(found);
  }

  /** Makes each component in turn, opening every prefix from the root anew so that symlinks stay inside. */
  #createParents(components: readonly string[], into: Cell): void {
    const p = this.#program;
    let parent: Cell = this.fd;
    components.forEach((name, i) => {
      const last = i === components.length - 1;
      const next = last ? into : this.#walk[i % 2]!;
      p.call('mkdirat', [valueIn(parent), name, 0o755], { tolerate: ['EEXIST'] });
      const prefix = components.slice(0, i + 1).join('/');
      p.call('openat2', [valueIn(this.fd), prefix, how(O.PATH | O.DIRECTORY | O.CLOEXEC), OPEN_HOW_SIZE], {
        store: next,
      });
      if (parent !== this.fd) p.call('close', [valueIn(parent)]);
      parent = next;
    });
  }

  /** Opens a file, making an empty one (mode 0644) and its parents where missing. */
  ensureFile(path: string, into: Cell): void {
    const p = this.#program;
    const relative = relativeToRoot(path);
    const found = p.label('found');
    const create = p.label('create');
    p.call('openat2', [valueIn(this.fd), relative, how(O.PATH | O.CLOEXEC), OPEN_HOW_SIZE], {
      store: into,
      tolerate: ['ENOENT'],
      goto: create,
    });
    p.jump(found);
    p.place(create);
    const target = this.#target(path);
    const parent = this.parent(target);
    // mknod makes a regular file without opening it: no truncation, no following of a symlink that came in between
    p.call('mknodat', [parent.fd, parent.name, S.IFREG | 0o644, 0], { tolerate: ['EEXIST'] });
    parent.close();
    p.call('openat2', [valueIn(this.fd), target, how(O.PATH | O.CLOEXEC), OPEN_HOW_SIZE], { store: into });
    p.place(found);
  }

  /** What is to be made where a path does not exist. */
  #target(path: string): string {
    return relativeToRoot(this.#targets?.get(path) ?? path);
  }

  /** The folder that holds a path, made where missing; `close` when done. */
  parent(path: string): { fd: Arg; name: string; close: () => void } {
    const relative = relativeToRoot(path);
    const folder = posix.dirname(relative);
    const name = posix.basename(relative);
    if (folder === '.') return { fd: valueIn(this.fd), name, close: () => {} };
    const cell = this.#program.cell('parent');
    this.ensureDirectory(folder, cell);
    return { fd: valueIn(cell), name, close: () => this.#program.call('close', [valueIn(cell)]) };
  }

  /** Jumps to `other` unless the descriptor is a folder. */
  unlessDirectory(fd: Cell, other: Label): void {
    this.#program.call('statx', [valueIn(fd), '', AT.EMPTY_PATH, STATX_TYPE, addressOf(this.#statx)]);
    // stx_mode is the u16 at byte 28: bits 32 to 47 of the word at 24 (little endian)
    this.#program.set(this.#statx, valueIn(this.#statx, 24), '>>', 32);
    this.#program.set(this.#statx, valueIn(this.#statx), '&', S.IFMT);
    this.#program.jumpIf(valueIn(this.#statx), '!=', S.IFDIR, other);
  }

  /** The permission bits of a descriptor, into a cell. */
  modeOf(fd: Cell, into: Cell): void {
    this.#program.call('statx', [valueIn(fd), '', AT.EMPTY_PATH, STATX_MODE, addressOf(this.#statx)]);
    this.#program.set(into, valueIn(this.#statx, 24), '>>', 32);
    this.#program.set(into, valueIn(into), '&', 0o7777);
  }
}

/** struct open_how: flags, mode, resolve. Magic links (procfs) are never followed. */
export function how(flags: number, mode = 0, noSymlinks = false): Words {
  const resolve = RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS | (noSymlinks ? RESOLVE.NO_SYMLINKS : 0);
  return words('open_how', [flags, mode, resolve]);
}

/** Flags of open_tree(2) for a detached copy of a mount. */
export function cloneTree(recursive: boolean): number {
  return OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC | (recursive ? AT.RECURSIVE : 0);
}
