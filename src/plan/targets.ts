/**
 * What is not there to be mounted on: made by one piece of the program that all targets share.
 *
 * Every mount would need a dozen operations for a case that hardly ever occurs, each of which costs more to write down
 * than to perform. So a target has two: where its description is, and a jump. The shared piece reads the description
 * (through a pipe, as the executor can't follow a pointer), makes one component after the other, and goes back.
 *
 * Every prefix is opened from the root anew, so that symlinks on the way stay inside.
 *
 * @module
 */

import { ERRNO, F, FS_MAGIC, O, S } from '../../ffi/constants/index.ts';
import type { Arg, Cell, Label, ProgramBuilder, Words } from '../../ffi/program.ts';
import { addressOf, valueIn, words } from '../../ffi/program.ts';
import { utf8Length } from '../../ffi/text.ts';
import { how, OPEN_HOW_SIZE, planFileType } from './opened.ts';
import { TOLD_FIELD, toldText } from './protocol.ts';

/** What is made where nothing is: a folder, an empty file, or whichever the tree in {@link TargetCells.tree} is. */
export type Make = 'folder' | 'file' | 'like';

export interface TargetCells {
  root: Cell;
  target: Cell;
  tree: Cell;
}

export interface TargetRequest {
  /** Relative to the root. */
  path: string;
  /** What is to be made for it: another path where the image has symlinks to something missing. */
  made: string;
  make: Make;
  /** The config's field, for the message of a failure. */
  field: string;
}

interface Site {
  description: Words;
  elsewhere: Label;
  found: Label;
}

const KINDS: Readonly<Record<Make, number>> = { folder: 0, file: 1, like: 2 };
const STATFS_SIZE = 120;
const STATX_SIZE = 256;
/** The longest text of a message, MESSAGE.TEXT_LIMIT of abi.ts. */
const MAX_TEXT = 512;

/** Offsets in a description; behind them pairs of prefix and name, which end with a 0. */
const KIND = 0;
const TEXT = 8;
const TEXT_LENGTH = 16;
const PATH = 24;
const NAME = 32;
const HEAD_SIZE = 40;
const PAIR_SIZE = 16;

/** Collects targets, and appends what makes them. */
export class TargetMaker {
  private readonly program: ProgramBuilder;
  private readonly cells: TargetCells;
  private readonly sites: Site[] = [];
  /** Set to 1 when a target was made. */
  readonly wasMade: Cell;

  constructor(program: ProgramBuilder, cells: TargetCells) {
    this.program = program;
    this.cells = cells;
    this.wasMade = program.cell('made');
  }

  /** Gives where to jump to when a target isn't simply there, and the label to put where it then is. */
  add(request: TargetRequest): { elsewhere: Label; found: Label } {
    const elsewhere = this.program.label('elsewhere');
    const found = this.program.label('found');
    this.sites.push({ description: describe(request), elsewhere, found });
    return { elsewhere, found };
  }

  /** Appends everything; nothing must run into it. */
  finish(): void {
    if (this.sites.length === 0) return;
    this.program.within(TOLD_FIELD, () => this.planAll());
  }

  private planAll(): void {
    const { program: p } = this;
    const wanted = p.cell('wanted');
    const begin = p.label('begin');
    this.sites.forEach(({ description, elsewhere }, i) => {
      p.place(elsewhere);
      p.set(wanted, description);
      if (i < this.sites.length - 1) p.jump(begin);
    });
    p.place(begin);
    this.planSearch(wanted, () => {
      this.sites.forEach(({ description, found }, i) => {
        if (i < this.sites.length - 1) p.jumpIf(valueIn(wanted), '==', description, found);
        else p.jump(found);
      });
    });
  }

  /** Opens the target, or makes it; `back` leads to where the program goes on. */
  private planSearch(wanted: Cell, back: () => void): void {
    const { program: p } = this;
    const { root, target } = this.cells;
    const pipe = p.cell('pipe');
    const [out, into, at] = [p.cell('pipeEnd'), p.cell('pipeStart'), p.cell('at')];
    const head = p.cell('description', HEAD_SIZE);
    const statfs = p.cell('statfs', STATFS_SIZE);
    const [absent, opened] = [p.label('absent'), p.label('opened')];
    const [failed, forbidden] = [p.label('failed'), p.label('forbidden')];
    const load = (from: Cell, cell: Cell, size: number): void => {
      p.call('write', [valueIn(into), valueIn(from), size]);
      p.call('read', [valueIn(out), addressOf(cell), size]);
    };
    const open = (unless: Label): void =>
      p.call('openat2', [valueIn(root), valueIn(head, PATH), how(O.PATH), OPEN_HOW_SIZE], {
        store: target,
        tolerate: 'any',
        goto: unless,
      });

    p.call('pipe2', [addressOf(pipe), O.CLOEXEC], { note: 'to read what a pointer points to' });
    p.set(out, valueIn(pipe), '&', 0xffffffff);
    p.set(into, valueIn(pipe), '>>', 32);
    load(wanted, head, HEAD_SIZE);
    p.set(at, valueIn(wanted), '+', HEAD_SIZE);
    open(absent);

    p.place(opened);
    p.call('fstatfs', [valueIn(target), addressOf(statfs)], { note: 'a symlink can lead there' });
    p.jumpIf(valueIn(statfs), '==', FS_MAGIC.PROC, forbidden);
    p.call('close', [valueIn(out)]);
    p.call('close', [valueIn(into)]);
    back();

    p.place(absent);
    p.jumpIf(valueIn(target), '!=', -ERRNO.ENOENT, failed);
    this.planMake(head, at, load, failed);
    p.set(this.wasMade, 1);
    open(failed);
    p.jump(opened);

    p.place(forbidden);
    p.fail(valueIn(head, TEXT), valueIn(head, TEXT_LENGTH), ERRNO.EPERM, 'the destination leads into /proc');
    p.place(failed);
    p.fail(valueIn(head, TEXT), valueIn(head, TEXT_LENGTH));
  }

  private planMake(
    head: Cell,
    at: Cell,
    load: (from: Cell, cell: Cell, size: number) => void,
    failed: Label,
  ): void {
    const { program: p } = this;
    const { root, tree } = this.cells;
    const pair = p.cell('step', PAIR_SIZE);
    const [parent, next, outcome] = [p.cell('parent'), p.cell('next'), p.cell('outcome')];
    const statx = p.cell('treeStatx', STATX_SIZE);
    const [walk, last] = [p.label('walk'), p.label('last')];
    const [folder, file, made] = [p.label('folder'), p.label('file'), p.label('made')];
    /** Something new below the parent, or what is there by now. */
    const create = (call: 'mkdirat' | 'mknodat', name: Arg, mode: number): void => {
      const [refused, there] = [p.label('refused'), p.label('there')];
      p.call(call, [valueIn(parent), name, mode], { store: outcome, tolerate: 'any', goto: refused });
      p.jump(there);
      p.place(refused);
      p.jumpIf(valueIn(outcome), '!=', -ERRNO.EEXIST, failed);
      p.place(there);
    };

    // a copy, so that each parent can be closed
    p.call('fcntl', [valueIn(root), F.DUPFD_CLOEXEC, 0], { store: parent });
    p.place(walk);
    load(at, pair, PAIR_SIZE);
    p.set(at, valueIn(at), '+', PAIR_SIZE);
    p.jumpIf(valueIn(pair), '==', 0, last);
    create('mkdirat', valueIn(pair, 8), 0o755);
    p.call('openat2', [valueIn(root), valueIn(pair), how(O.PATH | O.DIRECTORY), OPEN_HOW_SIZE], {
      store: next,
      tolerate: 'any',
      goto: failed,
    });
    p.call('close', [valueIn(parent)]);
    p.set(parent, valueIn(next));
    p.jump(walk);

    p.place(last);
    p.jumpIf(valueIn(head, KIND), '==', KINDS.folder, folder);
    p.jumpIf(valueIn(head, KIND), '==', KINDS.file, file);
    planFileType(p, tree, statx);
    p.jumpIf(valueIn(statx), '!=', S.IFDIR, file);
    p.place(folder);
    create('mkdirat', valueIn(head, NAME), 0o755);
    p.jump(made);
    p.place(file);
    // mknod makes a regular file without opening it: no truncation, no following of a symlink that came in between
    create('mknodat', valueIn(head, NAME), S.IFREG | 0o644);
    p.place(made);
    p.call('close', [valueIn(parent)]);
  }
}

function describe({ path, made, make, field }: TargetRequest): Words {
  const text = toldText(field, path);
  const components = made.split('/');
  const name = components.at(-1)!;
  const pairs: string[] = [];
  for (let i = 0, prefix = ''; i < components.length - 1; i++) {
    prefix = i === 0 ? components[i]! : `${prefix}/${components[i]}`;
    pairs.push(prefix, components[i]!);
  }
  const length = Math.min(utf8Length(text), MAX_TEXT);
  return words('target', [KINDS[make], text, length, path, name, ...pairs, 0, 0]);
}
