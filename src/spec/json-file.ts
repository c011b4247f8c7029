/**
 * Reads JSON that somebody else wrote: bounded in size and depth, UTF-8 only, and with an error that says where.
 *
 * @module
 */

import { closeSync, constants, fstatSync, openSync, readFileSync } from '#files';
import { fromUtf8, utf8 } from '../../ffi/text.ts';
import { errnoText } from '../cli/present.ts';
import { errnoOf, RuntsError } from '../errors.ts';
import { readToEnd } from '../linux/input.ts';
import { excerpt, findSyntaxFault, position } from './json-syntax.ts';

/** Greatest size of a file in bytes. The largest real config.json (hundreds of mounts) is below 1 MB. */
export const MAX_BYTES = 16 * 1024 * 1024;

/** Deepest nesting of objects and arrays; config.json needs 7. Recursion in any engine is safe at this depth. */
export const MAX_DEPTH = 1000;

const REPLACEMENT = '\ufffd';

/** A parsed file, with what its text says more cheaply than its values. */
export interface JsonDocument {
  value: unknown;
  text: string;
}

/**
 * Reads and parses a file. `what` names it in errors (`config.json`).
 *
 * @throws RuntsError E_CONFIG_READ for a file that can't be read, E_CONFIG_SYNTAX for one that isn't UTF-8 or JSON; the
 * system error ENOENT is left to the caller, who knows what a missing file means.
 */
export function readJsonFile(path: string, what: string): JsonDocument {
  return parseJsonText(readText(path, what), what);
}

/** Reads and parses a file or a pipe (`<(command)` of a shell). Errors as of {@link readJsonFile}. */
export function readJsonFileOrPipe(path: string, what: string): JsonDocument {
  return parseJsonText(readText(path, what, true), what);
}

/** Reads and parses standard input. Errors as of {@link readJsonFile}. */
export function readJsonInput(what: string): JsonDocument {
  return parseJson(bounded(0, '-', what), what);
}

/** Errors as of {@link readJsonFile}. */
export function parseJson(bytes: Uint8Array, what: string): JsonDocument {
  return parseJsonText(decoded(bytes, what), what);
}

function decoded(bytes: Uint8Array, what: string): string {
  const text = fromUtf8(bytes);
  if (text.includes(REPLACEMENT)) checkUtf8(bytes, text, what);
  return text;
}

function bounded(fd: number, path: string, what: string): Uint8Array {
  const bytes = readToEnd(fd, MAX_BYTES);
  if (bytes.length > MAX_BYTES) throw tooLarge(what, path);
  return bytes;
}

function parseJsonText(text: string, what: string): JsonDocument {
  if (text.charCodeAt(0) === 0xfeff) {
    throw new RuntsError('E_CONFIG_SYNTAX', `${what} begins with a byte order mark`, {
      hint: 'save it as UTF-8 without BOM',
    });
  }
  // Before it is parsed: QuickJS's parser takes a piece of the stack for each level, and doesn't count them.
  if (mayExceedDepth(text) && exceedsDepth(text)) {
    throw new RuntsError(
      'E_CONFIG_SYNTAX',
      `${what} is nested too deeply: more than ${MAX_DEPTH} objects and arrays in one another`,
    );
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw syntaxError(text, what, cause);
  }
  return { value, text };
}

function readText(path: string, what: string, pipes = false): string {
  let fd: number | undefined;
  try {
    // O_NONBLOCK: opening a FIFO that nobody writes to would hang.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = fstatSync(fd);
    if (stat.isDirectory()) throw unreadable(what, path, 'is a directory', 'EISDIR');
    if (pipes && stat.isFIFO()) return decoded(bounded(fd, path, what), what);
    if (!stat.isFile()) throw unreadable(what, path, 'not a regular file');
    if (stat.size > MAX_BYTES) throw tooLarge(what, path);
    const text = readFileSync(fd, 'utf8');
    if (text.length > MAX_BYTES) throw tooLarge(what, path);
    if (text.includes(REPLACEMENT)) checkUtf8(readFileSync(path), text, what);
    return text;
  } catch (error) {
    const errno = errnoOf(error);
    if (error instanceof RuntsError || errno === undefined || errno === 'ENOENT') throw error;
    throw unreadable(what, path, errnoText(error), errno);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function tooLarge(what: string, path: string): RuntsError {
  return new RuntsError('E_CONFIG_READ', `${what} is larger than ${MAX_BYTES} bytes: ${quote(path)}`);
}

function unreadable(what: string, path: string, reason: string, errno?: string): RuntsError {
  return new RuntsError('E_CONFIG_READ', `cannot read ${what} ${quote(path)}: ${reason}`, { errno });
}

/** A path for a message of one line. */
function quote(path: string): string {
  return JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}...` : path);
}

/**
 * An invalid sequence decodes to U+FFFD, which a valid text may hold as well: only then do its bytes come back.
 *
 * @throws RuntsError E_CONFIG_SYNTAX with the place of the first invalid byte
 */
function checkUtf8(bytes: Uint8Array, text: string, what: string): void {
  const again = utf8(text);
  let offset = 0;
  while (offset < bytes.length && again[offset] === bytes[offset]) offset += 1;
  if (offset === bytes.length && offset === again.length) return;
  const before = fromUtf8(again.subarray(0, offset));
  const { line, column } = position(before, before.length);
  const byte = (bytes[offset] ?? 0).toString(16).padStart(2, '0');
  const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  throw new RuntsError(
    'E_CONFIG_SYNTAX',
    `${what} is not UTF-8: byte 0x${byte} at line ${line}, column ${column}`,
    { hint: utf16 ? 'it looks like UTF-16: save it as UTF-8' : 'JSON is UTF-8' },
  );
}

function syntaxError(text: string, what: string, cause: unknown): RuntsError {
  if (text.trim() === '') return new RuntsError('E_CONFIG_SYNTAX', `${what} is empty`, { cause });
  const fault = findSyntaxFault(text);
  if (fault === undefined) {
    return new RuntsError('E_CONFIG_SYNTAX', `cannot parse ${what}: ${(cause as Error).message}`, { cause });
  }
  const { line, column, reason, offset } = fault;
  return new RuntsError(
    'E_CONFIG_SYNTAX',
    `${what}, line ${line}, column ${column}: ${reason}, near: ${excerpt(text, offset)}`,
    { cause },
  );
}

/** Whether there are enough brackets for the depth at all: nearly always no, and that costs a few microseconds. */
function mayExceedDepth(text: string): boolean {
  return text.split('{', MAX_DEPTH + 2).length + text.split('[', MAX_DEPTH + 2).length - 2 > MAX_DEPTH;
}

/** Counts brackets outside of strings, up to the first that is too deep. */
function exceedsDepth(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') {
      at = endOfString(text, at);
    } else if (character === '{' || character === '[') {
      if (++depth > MAX_DEPTH) return true;
    } else if (character === '}' || character === ']') depth--;
  }
  return false;
}

/** Where the string ends that begins at `from`; the end of the text when it doesn't. */
function endOfString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at;
  }
  return text.length;
}
