/**
 * `tmpcopyup`: a tmpfs begins with the content of the folder that it covers.
 *
 * Copying a tree needs more of a program than the executor has. So init lends its parent a hand: it tells the numbers
 * of its descriptors of both folders, and then makes one system call after the other that it is told, each with
 * descriptors and one plain name. The parent decides what, and no path is resolved by anybody. All of it is done with the
 * container's rights and in its namespaces, whoever owns the files.
 *
 * @module
 */

import { O } from '../../ffi/constants/index.ts';
import { type Arg, addressOf, type Cell, type Label, valueIn } from '../../ffi/program.ts';
import type { SyscallArgs, SyscallName } from '../../ffi/syscalls.ts';
import { FD, TAG } from './protocol.ts';
import type { PlanContext } from './types.ts';

/** Offsets in a request of the parent: 64-bit words, then two strings. */
export const REQUEST = {
  /** Place of the call in {@link HANDS}, from 1 on, or {@link DONE}. */
  CALL: 0,
  /** Four arguments. */
  ARGS: 8,
  /** How many bytes of the output the answer is to have with it. */
  WANTED: 40,
  NAME: 48,
  NAME_SIZE: 256,
  TEXT: 304,
  TEXT_SIZE: 4096,
  SIZE: 4400,
} as const;

/** The end of the requests. */
export const DONE = 0;

/** Room for what a call gives. */
export const OUTPUT_SIZE = 8192;

/** A word of the request, the place of one of its strings or of the output, or the socket. */
type HandArg = 0 | 1 | 2 | 3 | 'name' | 'text' | 'output' | 'sync';
/** A call that init makes for the parent. */
type Hand = readonly [name: SyscallName, ...args: HandArg[]];

/** What init can be asked for. */
export const HANDS = [
  ['openat', 0, 'name', 1, 2],
  ['close', 0],
  ['getdents64', 0, 'output', 1],
  ['statx', 0, 'name', 1, 2, 'output'],
  ['readlinkat', 0, 'name', 'output', 1],
  ['mkdirat', 0, 'name', 1],
  ['mknodat', 0, 'name', 1, 2],
  ['symlinkat', 'text', 0, 'name'],
  ['fchownat', 0, 'name', 1, 2, 3],
  ['fchmod', 0, 1],
  ['utimensat', 0, 'name', 'text', 1],
  ['sendfile', 0, 1, 2, 3],
  ['flistxattr', 0, 'output', 1],
  ['fgetxattr', 0, 'name', 'output', 1],
  ['fsetxattr', 0, 'name', 'text', 1, 2],
  // what a call has given, where that is more than an answer takes
  ['write', 'sync', 'output', 0],
] as const satisfies readonly Hand[];

/** Names of what init can be asked for. */
export type HandName = (typeof HANDS)[number][0];

export interface CopyUp {
  /** Descriptor of the folder that is covered. */
  from: Cell;
  /** Of the new file system's root. */
  to: Cell;
  field: string;
  path: string;
  /** The root gets the owner of the folder as well. */
  owner: boolean;
}

/** Appends the copying of one folder. */
export function planCopyUp(ctx: PlanContext, { from, to, field, path, owner }: CopyUp): void {
  const { program } = ctx;
  const source = program.cell('covered');
  const folders = program.cell('folders');
  const request = program.cell('request', REQUEST.SIZE);
  const output = program.cell('output', OUTPUT_SIZE);
  const result = program.cell('result');
  const [next, answer] = [program.label('next'), program.label('answer')];
  const [done, gone] = [program.label('done'), program.label('gone')];
  const argument = (arg: HandArg): Arg => {
    if (arg === 'name') return addressOf(request, REQUEST.NAME);
    if (arg === 'text') return addressOf(request, REQUEST.TEXT);
    if (arg === 'output') return addressOf(output);
    if (arg === 'sync') return FD.sync;
    return valueIn(request, REQUEST.ARGS + 8 * arg);
  };

  ctx.steps ??= [];
  ctx.steps.push({ step: 'copyUp', field, path, owner });
  program.call('openat', [valueIn(from), '.', O.RDONLY | O.DIRECTORY | O.CLOEXEC], { store: source });
  program.set(folders, valueIn(to), '<<', 32);
  program.set(folders, valueIn(folders), '|', valueIn(source));
  program.notify(TAG.COPY_UP, valueIn(folders), null, 0, 'copy one folder into the other');
  program.place(next);
  program.call('read', [FD.sync, addressOf(request), REQUEST.SIZE], { store: result });
  program.jumpIf(valueIn(result), '==', 0, gone);
  program.jumpIf(valueIn(request), '==', DONE, done);
  (HANDS as readonly Hand[]).forEach(([name, ...args], i) => {
    const other = program.label('other');
    program.jumpIf(valueIn(request), '!=', i + 1, other);
    program.call(name, args.map(argument) as unknown as SyscallArgs<typeof name>, {
      store: result,
      tolerate: 'any',
    });
    program.jump(answer);
    program.place(other);
  });
  program.place(gone);
  program.call('exit_group', [0], { note: 'the runtime is gone' });
  program.place(answer);
  program.notify(TAG.ANSWER, valueIn(result), addressOf(output), valueIn(request, REQUEST.WANTED));
  program.jump(next);
  program.place(done);
  program.call('close', [valueIn(source)]);
}

/** What leads to `label` tells the parent that there is nothing to copy. */
export function planNoCopy({ program }: PlanContext, label: Label): void {
  const done = program.label('done');
  program.jump(done);
  program.place(label);
  program.notify(TAG.COPY_UP, 0, null, 0, 'nothing to copy');
  program.place(done);
}
