/**
 * Where and why a JSON text is malformed. Used after JSON.parse has failed: V8's message has a position, QuickJS's
 * a line, and neither says what is allowed.
 *
 * Grammar: RFC 8259.
 *
 * @module
 */

/** A syntax error; `line` and `column` count from 1, columns in UTF-16 units. */
export interface SyntaxFault {
  offset: number;
  line: number;
  column: number;
  reason: string;
}

const CONTROL_END = 0x20;
const ESCAPES = '"\\/bfnrt';

interface Fault {
  offset: number;
  reason: string;
}

/** The first syntax error of the text, or undefined when it is well-formed. Iterative: nesting costs no stack. */
export function findSyntaxFault(text: string): SyntaxFault | undefined {
  const fault = scan(text);
  return fault && { ...position(text, fault.offset), ...fault };
}

/** Line and column of an offset. */
export function position(text: string, offset: number): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', start)) {
    line += 1;
    start = at + 1;
  }
  return { line, column: offset - start + 1 };
}

/** The text around an offset in one line, with a caret before the character at the offset. */
export function excerpt(text: string, offset: number): string {
  const from = Math.max(0, offset - 30);
  const to = Math.min(text.length, offset + 20);
  const flat = (part: string) => part.replace(/\s+/g, ' ').replace(/[^ -~]/g, '?');
  const before = `${from > 0 ? '...' : ''}${flat(text.slice(from, offset))}`;
  return `${before}^${flat(text.slice(offset, to))}${to < text.length ? '...' : ''}`;
}

function scan(text: string): Fault | undefined {
  const open: number[] = [];
  let at = skipSpace(text, 0);
  // Each turn reads one value with what follows it, or opens an object or array.
  for (;;) {
    const char = text[at];
    if (char === '{' || char === '[') {
      open.push(at);
      const inside = skipSpace(text, at + 1);
      const empty = text[inside] === closer(char);
      if (!empty && char === '[') {
        at = inside;
        continue;
      }
      if (!empty) {
        const colon = key(text, inside, open);
        if (typeof colon !== 'number') return colon;
        at = colon;
        continue;
      }
      open.pop();
      at = inside + 1;
    } else {
      const end = scalar(text, at, open);
      if (typeof end !== 'number') return end;
      at = end;
    }
    // After a value: close what ends here, up to a comma or the end of the text.
    for (;;) {
      at = skipSpace(text, at);
      const innermost = open.at(-1);
      if (innermost === undefined) {
        return at === text.length
          ? undefined
          : { offset: at, reason: `unexpected ${name(text, at)} after the end` };
      }
      const bracket = text[innermost] as '{' | '[';
      if (text[at] === closer(bracket)) {
        open.pop();
        at += 1;
        continue;
      }
      if (text[at] !== ',') return unexpected(text, at, `"," or "${closer(bracket)}"`, open);
      at = skipSpace(text, at + 1);
      if (bracket === '[') break;
      const colon = key(text, at, open);
      if (typeof colon !== 'number') return colon;
      at = colon;
      break;
    }
  }
}

const closer = (bracket: '{' | '['): string => (bracket === '{' ? '}' : ']');

function skipSpace(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at += 1;
  return at;
}

/** A property's name and colon: where its value begins. */
function key(text: string, at: number, open: number[]): number | Fault {
  if (text[at] !== '"') return unexpected(text, at, 'a property name in double quotes', open);
  const end = string(text, at);
  if (typeof end !== 'number') return end;
  const colon = skipSpace(text, end);
  return text[colon] === ':' ? skipSpace(text, colon + 1) : unexpected(text, colon, '":"', open);
}

/** A string, number, true, false or null: where it ends. */
function scalar(text: string, at: number, open: number[]): number | Fault {
  if (text[at] === '"') return string(text, at);
  const word = /(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)(?![\w.+-])/y;
  word.lastIndex = at;
  if (word.test(text)) return word.lastIndex;
  return unexpected(text, at, 'a value', open);
}

function string(text: string, start: number): number | Fault {
  for (let at = start + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 0x22) return at + 1;
    if (code < CONTROL_END) {
      const hex = code.toString(16).padStart(4, '0');
      return { offset: at, reason: `a string can't hold a control character: write it as "\\u${hex}"` };
    }
    if (code !== 0x5c) continue;
    at += 1;
    const letter = text[at] ?? '';
    if (letter === 'u' && /^[0-9a-fA-F]{4}$/.test(text.slice(at + 1, at + 5))) at += 4;
    else if (letter !== '' && !ESCAPES.includes(letter)) {
      return { offset: at - 1, reason: 'unknown escape sequence in a string' };
    }
  }
  const { line, column } = position(text, start);
  return {
    offset: text.length,
    reason: `unexpected end of file in the string that begins at line ${line}, column ${column}`,
  };
}

function unexpected(text: string, at: number, expected: string, open: number[]): Fault {
  if (at < text.length) return { offset: at, reason: `expected ${expected}, found ${name(text, at)}` };
  const innermost = open.at(-1);
  if (innermost === undefined)
    return { offset: at, reason: `expected ${expected}, found the end of the file` };
  const { line, column } = position(text, innermost);
  const kind = text[innermost] === '{' ? 'object' : 'array';
  return {
    offset: at,
    reason: `unexpected end of file: the ${kind} that begins at line ${line}, column ${column} has no "${closer(text[innermost] as '{' | '[')}"`,
  };
}

/** What stands at an offset, in words. */
function name(text: string, at: number): string {
  const code = text.codePointAt(at) ?? 0;
  if (code < CONTROL_END || code > 0x7e) {
    return `the character U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
  }
  const word = /[\w.+-]{1,20}/y;
  word.lastIndex = at;
  return `'${word.exec(text)?.[0] ?? String.fromCodePoint(code)}'`;
}
