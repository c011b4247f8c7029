/**
 * What bind mounts do with symlinks: `copy-symlink`, `src-nofollow` and `dest-nofollow`, as in crun(1).
 *
 * @module
 */

import { ERRNO } from '../../ffi/constants/index.ts';
import { addressOf, type Cell, type ProgramBuilder, valueIn } from '../../ffi/program.ts';
import { utf8 } from '../../ffi/text.ts';
import { RuntsError } from '../errors.ts';
import { basename, dirname, resolve } from '../paths.ts';
import type { Mount } from '../spec/types.ts';
import { isBind, type ParsedMount } from './bind.ts';
import { parseMountOptions, type SymlinkOptions } from './mount-options.ts';
import { relativeToRoot } from './opened.ts';
import type { RootAccess } from './root.ts';
import type { PlanContext } from './types.ts';

const NAMES: readonly (readonly [keyof SymlinkOptions, string])[] = [
  ['copySymlink', 'copy-symlink'],
  ['sourceNoFollow', 'src-nofollow'],
  ['destinationNoFollow', 'dest-nofollow'],
];

/** @throws RuntsError E_CONFIG_INVALID */
export function checkSymlinkOptions(parsed: ParsedMount): void {
  const { options, field } = parsed;
  const given = NAMES.filter(([key]) => options[key]).map(([, name]) => name);
  const refuse = (text: string, hint?: string): RuntsError =>
    new RuntsError('E_CONFIG_INVALID', `${field}.options: ${text}`, { field: `${field}.options`, hint });
  if (given.length > 0 && !isBind(parsed)) throw refuse(`${given[0]} is for bind mounts`, 'add "bind"');
  if (options.copySymlink && given.length > 1)
    throw refuse(`${given.join(' and ')} contradict each other`, 'a symlink that is copied is not mounted');
  if (options.copySymlink && relativeToRoot(parsed.mount.destination) === '.')
    throw refuse('the root can’t become a symlink');
}

/** Sources that are to be copied when they are symlinks, absolute. */
export function copiedSources(mounts: readonly Mount[], bundle: string): string[] {
  return mounts
    .filter((m) => m.source && (m.options ?? []).includes('copy-symlink'))
    .filter(({ options = [] }) => parseMountOptions(options).copySymlink)
    .map((m) => resolve(bundle, m.source!));
}

/** Where the symlink leads that is to be made in place of this mount; undefined for one that is to be mounted. */
export function copiedSymlink(
  ctx: PlanContext,
  { mount, options }: Pick<ParsedMount, 'mount' | 'options'>,
): string | undefined {
  if (!options.copySymlink) return undefined;
  return ctx.facts.links?.get(resolve(ctx.options.bundle, mount.source ?? ''));
}

/** Makes a symlink; one that is there already and leads to the same is as good. */
export function planSymlink(
  ctx: PlanContext,
  root: RootAccess,
  parsed: Pick<ParsedMount, 'mount' | 'field'>,
  to: string,
): void {
  const { program: p } = ctx;
  const path = `/${relativeToRoot(parsed.mount.destination)}`;
  const [dir, base] = [dirname(path), basename(path)];
  root.openTarget(dir, 'folder', parsed.field);
  const [there, other, done] = [p.label('there'), p.label('other'), p.label('done')];
  p.call('symlinkat', [to, valueIn(root.target), base], { tolerate: ['EEXIST'], goto: there });
  p.jump(done);
  p.place(there);
  planUnlessLink(p, root.target, base, to, other);
  p.jump(done);
  p.place(other);
  p.fail(null, 0, ERRNO.EEXIST, 'the destination is there, and no symlink to the same');
  p.place(done);
  p.call('close', [valueIn(root.target)]);
}

/** Jumps to `other` unless the name is a symlink to `to`: read, and compared word by word. */
function planUnlessLink(
  p: ProgramBuilder,
  folder: Cell,
  name: string,
  to: string,
  other: ReturnType<ProgramBuilder['label']>,
): void {
  const expected = utf8(to);
  const count = Math.ceil((expected.length + 1) / 8);
  const padded = new Uint8Array(count * 8);
  padded.set(expected);
  const view = new DataView(padded.buffer);
  const found = p.cell('link', count * 8);
  const length = p.cell('linkLength');
  p.call('readlinkat', [valueIn(folder), name, addressOf(found), count * 8], {
    store: length,
    tolerate: ['EINVAL'],
    goto: other,
  });
  p.jumpIf(valueIn(length), '!=', expected.length, other);
  for (let i = 0; i < count; i++) p.jumpIf(valueIn(found, i * 8), '!=', view.getBigInt64(i * 8, true), other);
}
