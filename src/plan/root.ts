/**
 * The only access to the container's file system: by descriptor, resolved by the kernel inside the root.
 *
 * Every path of the container goes through openat2(2) with RESOLVE_IN_ROOT, so that no symlink, `..` or race of a
 * hostile image can lead out, and every change (mkdir, mknod, symlink, mount) names a descriptor and one plain last
 * component. No other file of the planner passes a path inside the rootfs to a system call.
 *
 * @module
 */

import { AT, ERRNO, FS_MAGIC, O, OPEN_TREE, S, STATX } from '../../ffi/constants/index.ts';
import type { Bytes, Cell, Label, ProgramBuilder } from '../../ffi/program.ts';
import { addressOf, bytes, valueIn } from '../../ffi/program.ts';
import { RuntsError } from '../errors.ts';
import { how, OPEN_HOW_SIZE, planFileType, relativeToRoot } from './opened.ts';
import { type Make, type TargetCells, TargetMaker } from './targets.ts';

/** sizeof(struct statx), statx(2). */
const STATX_SIZE = 256;
const STATFS_SIZE = 120;

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
  /** The root's mount. */
  readonly fd: Cell;
  /** What {@link openTarget} has opened, to be closed by whoever asked. */
  readonly target: Cell;
  /** A detached tree on its way to a target. */
  readonly tree: Cell;
  private readonly program: ProgramBuilder;
  private readonly links: ReadonlyMap<string, string> | undefined;
  /** What is appended at last. */
  private readonly blocks: (() => void)[] = [];
  private statx: Cell | undefined;
  private maker: TargetMaker | undefined;

  /**
   * @param links - where paths lead that are symlinks of the image to something missing: what is made then
   */
  constructor(program: ProgramBuilder, links?: ReadonlyMap<string, string>) {
    this.program = program;
    this.links = links;
    this.fd = program.cell('root');
    this.target = program.cell('target');
    this.tree = program.cell('tree');
  }

  /** openat2 below the root; O_PATH and O_CLOEXEC unless other flags are given. */
  open(path: string, into: Cell, options: OpenOptions = {}): void {
    const { flags = O.PATH, noSymlinks = false, missing, note } = options;
    this.program.call(
      'openat2',
      [valueIn(this.fd), relativeToRoot(path), how(flags, noSymlinks), OPEN_HOW_SIZE],
      {
        store: into,
        note,
        ...(missing === undefined ? {} : { tolerate: ['ENOENT', 'ENOTDIR'], goto: missing }),
      },
    );
  }

  /**
   * Opens what something is to be mounted on, into {@link target}; what is missing of it is made: folders with mode
   * 0755, an empty file with 0644. A target below a procfs is refused.
   *
   * A path without symlinks that is there costs one operation. The rest is done by operations that all targets share,
   * which {@link finish} appends.
   *
   * @param make - what to make; `like` {@link tree}: a folder for a folder, else a file
   * @param field - the config's, for the message when it fails
   */
  openTarget(path: string, make: Make, field: string): void {
    const relative = relativeToRoot(path);
    if (relative === '.') {
      this.open(relative, this.target);
      return;
    }
    const { elsewhere, found } = this.request(path, relative, make, field);
    const flags = make === 'folder' ? O.PATH | O.DIRECTORY : O.PATH;
    this.program.call('openat2', [valueIn(this.fd), relative, how(flags, true), OPEN_HOW_SIZE], {
      store: this.target,
      tolerate: ['ENOENT', 'ELOOP'],
      goto: elsewhere,
    });
    this.program.place(found);
  }

  /**
   * Opens a folder that nothing is mounted on, into {@link target}; what is missing of it is made, as by
   * {@link openTarget}. Unlike a target, one that is there may be in a procfs behind a symlink.
   */
  openFolder(path: string, field: string): void {
    const relative = relativeToRoot(path);
    const { elsewhere, found } = this.request(path, relative, 'folder', field);
    this.program.call('openat2', [valueIn(this.fd), relative, how(O.PATH | O.DIRECTORY), OPEN_HOW_SIZE], {
      store: this.target,
      tolerate: ['ENOENT'],
      goto: elsewhere,
    });
    this.program.place(found);
  }

  /**
   * As {@link openTarget}, but a path that ends in a symlink opens the symlink.
   */
  openTargetItself(path: string, make: Make, field: string): void {
    const { program: p } = this;
    const [absent, opened, forbidden] = [p.label('absent'), p.label('opened'), p.label('forbidden')];
    const statfs = p.cell('targetStatfs', STATFS_SIZE);
    this.open(path, this.target, { flags: O.PATH | O.NOFOLLOW, missing: absent });
    p.call('fstatfs', [valueIn(this.target), addressOf(statfs)]);
    p.jumpIf(valueIn(statfs), '==', FS_MAGIC.PROC, forbidden);
    p.jump(opened);
    p.place(forbidden);
    p.fail(null, 0, ERRNO.EPERM, 'the destination leads into /proc');
    p.place(absent);
    this.openTarget(path, make, field);
    p.place(opened);
  }

  /** 1 in this cell: a target was made by {@link openTarget}. To be set to 0 before. */
  get made(): Cell {
    this.maker ??= new TargetMaker(this.program, this.cells());
    return this.maker.wasMade;
  }

  /** Where to go on with a target that isn't simply there, and the label for where it then is. */
  private request(
    path: string,
    relative: string,
    make: Make,
    field: string,
  ): { elsewhere: Label; found: Label } {
    this.maker ??= new TargetMaker(this.program, this.cells());
    const made = relativeToRoot(this.links?.get(path) ?? relative);
    return this.maker.add({ path: relative, made, make, field });
  }

  private cells(): TargetCells {
    return { root: this.fd, target: this.target, tree: this.tree };
  }

  /**
   * Opens a folder right below the root, into {@link target}; makes it where it is missing.
   *
   * @param noSymlinks - it may not be a symlink, wherever it leads
   */
  openTopFolder(name: string, noSymlinks: boolean): void {
    this.program.call('mkdirat', [valueIn(this.fd), name, 0o755], { tolerate: ['EEXIST'] });
    this.open(name, this.target, { flags: O.PATH | O.DIRECTORY, noSymlinks });
  }

  /** Opens a folder right below one that is open, never through a symlink, into {@link target}. */
  openBelow(folder: Cell, name: string): void {
    this.program.call('openat2', [valueIn(folder), name, how(O.PATH | O.DIRECTORY, true), OPEN_HOW_SIZE], {
      store: this.target,
    });
  }

  /** The permission bits of a descriptor, into a cell. */
  modeOf(fd: Cell, into: Cell): void {
    const p = this.program;
    this.statx ??= p.cell('statx', STATX_SIZE);
    p.call('statx', [valueIn(fd), '', AT.EMPTY_PATH, STATX.MODE, addressOf(this.statx)]);
    p.set(into, valueIn(this.statx, 24), '>>', 32);
    p.set(into, valueIn(into), '&', 0o7777);
  }

  /** Jumps to `other` unless the descriptor is a folder. */
  unlessDirectory(fd: Cell, other: Label): void {
    const p = this.program;
    this.statx ??= p.cell('statx', STATX_SIZE);
    planFileType(p, fd, this.statx);
    p.jumpIf(valueIn(this.statx), '!=', S.IFDIR, other);
  }

  /**
   * Runs the same operations for each of several paths of the container: the program has them once, however many paths
   * there are.
   *
   * @param body - gets the cell that points to the path, relative to the root, where to go on when there is nothing to
   * be done, and where to go with a failure that is to be told with the path
   */
  forEachPath(
    paths: readonly string[],
    field: string,
    body: (path: Cell, next: Label, failed: Label) => void,
  ): void {
    const { program: p } = this;
    const [path, left] = [p.cell('path'), p.cell('left')];
    const [again, next, failed] = [p.label('again'), p.label('next'), p.label('failed')];
    const { table, size } = pathTable(paths, field);
    p.set(path, table);
    p.set(left, paths.length);
    p.place(again);
    body(path, next, failed);
    p.place(next);
    p.set(path, valueIn(path), '+', size);
    p.set(left, valueIn(left), '+', -1);
    p.jumpIf(valueIn(left), '!=', 0, again);
    this.blocks.push(() => {
      p.place(failed);
      p.fail(valueIn(path), size, 0, undefined, field);
    });
  }

  /** Appends what the operations so far jump to. The program must not run into it. */
  finish(): void {
    for (const block of this.blocks) block();
    this.maker?.finish();
  }
}

/** Paths relative to the root in records of the same size, each with a NUL at least. */
function pathTable(paths: readonly string[], field: string): { table: Bytes; size: number } {
  const encoder = new TextEncoder();
  const names = paths.map(relativeToRoot);
  const encoded = names.map((name) => encoder.encode(name));
  const size = Math.max(...encoded.map(({ length }) => length)) + 1;
  const content = new Uint8Array(size * encoded.length);
  encoded.forEach((path, i) => {
    if (path.includes(0)) {
      throw new RuntsError('E_CONFIG_INVALID', `${field}[${i}]: a string contains a NUL byte`, {
        field: `${field}[${i}]`,
      });
    }
    content.set(path, i * size);
  });
  return { table: bytes(content, `[${names.map((name) => JSON.stringify(name)).join(', ')}]`), size };
}

/** Flags of open_tree(2) for a detached copy of a mount. */
export function cloneTree(recursive: boolean): number {
  return OPEN_TREE.CLONE | OPEN_TREE.CLOEXEC | (recursive ? AT.RECURSIVE : 0);
}
