/**
 * A compiled filter in a file: an entry of the cache, or what a container keeps for `exec`.
 *
 * Eight 32-bit words (see {@link WORD}), the program, the program again, and a text. Comparing two copies is native
 * code; a checksum in JavaScript, which is still interpreted when it is needed, takes ten times as long.
 *
 * @module
 */

import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from '#files';
import { concatBytes, fromUtf8, utf8 } from '../../ffi/text.ts';
import type { CompiledFilter } from '../plan/seccomp.ts';
import { INSTRUCTION_SIZE, MAX_INSTRUCTIONS } from './bpf.ts';

/** "RSEC". */
const MAGIC = 0x43455352;

/** Changes with the layout, and with what the same profile is compiled to. */
const FORMAT = 1;

/** Indexes of the words that a file begins with. */
const WORD = { MAGIC: 0, FORMAT: 1, FLAGS: 2, NOTIFY: 3, PROGRAM_LENGTH: 4, TEXT_LENGTH: 5 } as const;
const HEADER_SIZE = 32;

/** For the owner only: nobody else may choose what a container is allowed. */
const MODE = 0o600;

/** Far above what any profile comes to. */
const MAX_SIZE = 16 * 1024 * 1024;

/** A filter and what was written with it. */
export interface StoredFilter extends CompiledFilter {
  readonly text: string;
  /** Number of the file. */
  readonly inode: number;
}

/**
 * Reads a file that {@link writeFilter} wrote.
 *
 * @returns undefined when it is another file, damaged, or of another user, or when others may write to it
 * @throws Error of node:fs when it can't be opened or read, as with ENOENT
 */
export function readFilter(path: string): StoredFilter | undefined {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.uid !== process.geteuid?.() || (stat.mode & 0o077) !== 0) return undefined;
    if (stat.size < HEADER_SIZE || stat.size > MAX_SIZE) return undefined;
    const bytes = new Uint8Array(stat.size);
    if (readSync(fd, bytes, 0, bytes.length, 0) !== bytes.length) return undefined;
    return parse(bytes, stat.ino);
  } finally {
    closeSync(fd);
  }
}

function parse(bytes: Uint8Array, inode: number): StoredFilter | undefined {
  const words = new Uint32Array(bytes.buffer, 0, HEADER_SIZE / 4);
  if (words[WORD.MAGIC] !== MAGIC || words[WORD.FORMAT] !== FORMAT) return undefined;
  const length = words[WORD.PROGRAM_LENGTH]!;
  const second = HEADER_SIZE + length;
  const text = second + length;
  if (bytes.length !== text + words[WORD.TEXT_LENGTH]!) return undefined;
  if (length === 0 || length % INSTRUCTION_SIZE !== 0 || length > MAX_INSTRUCTIONS * INSTRUCTION_SIZE)
    return undefined;
  const program = bytes.subarray(HEADER_SIZE, second);
  if (!same(program, bytes.subarray(second, text))) return undefined;
  return {
    program,
    flags: words[WORD.FLAGS]!,
    notify: words[WORD.NOTIFY] === 1,
    text: fromUtf8(bytes.subarray(text)),
    inode,
  };
}

function same(one: Uint8Array, other: Uint8Array): boolean {
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return one.length === other.length;
}

/**
 * Writes a filter. A reader sees all of it or what was there before.
 *
 * @throws Error of node:fs
 */
export function writeFilter(path: string, { program, flags, notify }: CompiledFilter, text = ''): void {
  const tail = utf8(text);
  const words = new Uint32Array(HEADER_SIZE / 4);
  words[WORD.MAGIC] = MAGIC;
  words[WORD.FORMAT] = FORMAT;
  words[WORD.FLAGS] = flags;
  words[WORD.NOTIFY] = notify ? 1 : 0;
  words[WORD.PROGRAM_LENGTH] = program.length;
  words[WORD.TEXT_LENGTH] = tail.length;
  const temporary = `${path}.${process.pid}.new`;
  try {
    // "wx" is O_EXCL: never through a symlink, never into a file that somebody holds open.
    const all = concatBytes([new Uint8Array(words.buffer), program, program, tail]);
    writeFileSync(temporary, all, { flag: 'wx', mode: MODE });
    renameSync(temporary, path);
  } catch (error) {
    try {
      unlinkSync(temporary);
    } catch {
      // it was never made
    }
    throw error;
  }
}
