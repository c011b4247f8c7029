/**
 * Opening a path inside the container's root, and what an open descriptor is.
 *
 * @module
 */

import { AT, O, RESOLVE, S, STATX } from '../../ffi/constants/index.ts';
import type { Cell, ProgramBuilder, Words } from '../../ffi/program.ts';
import { addressOf, valueIn, words } from '../../ffi/program.ts';
import { normalize } from '../paths.ts';

/** sizeof(struct open_how), openat2(2). */
export const OPEN_HOW_SIZE = 24;

/** The last answer: a mount's destination is asked for by one check after the other. */
let last = { path: '/', relative: '.' };

/** Lexically cleaned, without the leading slash; `.` for the root itself. */
export function relativeToRoot(path: string): string {
  if (path === last.path || path === last.relative) return last.relative;
  last = { path, relative: cleaned(path) };
  return last.relative;
}

function cleaned(path: string): string {
  const clean = normalize(path[0] === '/' ? path : `/${path}`);
  const end = clean.length - (clean.endsWith('/') ? 1 : 0);
  return end <= 1 && clean.length <= 1 ? '.' : clean.slice(1, end);
}

/** struct open_how by flags, with symlinks and without: the same object each time, which a tape has once. */
const HOWS: readonly Record<number, Words>[] = [{}, {}];

/** struct open_how: flags (O_CLOEXEC is added), mode, resolve. Magic links (procfs) are never followed. */
export function how(flags: number, noSymlinks = false): Words {
  const known = HOWS[noSymlinks ? 1 : 0]!;
  const resolve = RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS | (noSymlinks ? RESOLVE.NO_SYMLINKS : 0);
  known[flags] ??= words('open_how', [flags | O.CLOEXEC, 0, resolve]);
  return known[flags];
}

/** The file type (S_IFMT) of a descriptor, into the first word of a cell with room for a struct statx. */
export function planFileType(program: ProgramBuilder, fd: Cell, statx: Cell): void {
  program.call('statx', [valueIn(fd), '', AT.EMPTY_PATH, STATX.TYPE, addressOf(statx)]);
  // stx_mode is the u16 at byte 28: bits 32 to 47 of the word at 24 (little endian)
  program.set(statx, valueIn(statx, 24), '>>', 32);
  program.set(statx, valueIn(statx), '&', S.IFMT);
}
