/**
 * D-Bus values with their types, and how annotations write them.
 *
 * @see the D-Bus specification, Type System; the GVariant text format
 * @module
 */

/** A value and its D-Bus signature: `s`, `t`, `as`, `a(ss)`, `v`... */
export interface Value {
  type: string;
  value: Content;
}

/** An array or structure as a list, a variant as a {@link Value}. */
export type Content = string | number | bigint | boolean | Value | readonly Content[];

/** A property of a unit. */
export interface Property extends Value {
  name: string;
}

/** A signature as its complete types, e.g. `sa(sv)u` as `s`, `a(sv)`, `u`. */
export function splitSignature(signature: string): string[] {
  const types: string[] = [];
  for (let at = 0; at < signature.length; ) {
    const start = at;
    while (signature[at] === 'a') at++;
    let depth = 0;
    do {
      if (signature[at] === '(' || signature[at] === '{') depth++;
      if (signature[at] === ')' || signature[at] === '}') depth--;
      at++;
    } while (depth > 0 && at < signature.length);
    types.push(signature.slice(start, at));
  }
  return types;
}

const KEYWORDS: Readonly<Record<string, string>> = {
  boolean: 'b',
  byte: 'y',
  int16: 'n',
  uint16: 'q',
  int32: 'i',
  uint32: 'u',
  int64: 'x',
  uint64: 't',
  double: 'd',
  string: 's',
  objectpath: 'o',
};

/**
 * Reads a value in the GVariant text format, as far as properties of units need it: strings, booleans, numbers and
 * arrays of those, with a keyword (`uint64 5`) or a signature (`@as []`) before it where it isn't a string, a
 * boolean or an int32.
 *
 * @returns undefined for anything else
 */
export function parseValue(text: string): Value | undefined {
  const [, keyword, signature, rest] =
    /^\s*(?:([a-z]+[0-9]*)\s+(?=\S)|@(a?[bynqiuxtdso])\s+)?(.*?)\s*$/s.exec(text) ?? [];
  const type = keyword === undefined ? signature : KEYWORDS[keyword];
  if (rest === undefined || (keyword !== undefined && type === undefined)) return undefined;
  if (rest.startsWith('[')) return parseArray(rest, type);
  return parseBasic(rest, type);
}

function parseArray(text: string, type: string | undefined): Value | undefined {
  if (!text.endsWith(']')) return undefined;
  const items = splitItems(text.slice(1, -1));
  if (items === undefined) return undefined;
  const element = type?.startsWith('a') ? type.slice(1) : undefined;
  const values = items.map((item) => (element === undefined ? parseValue(item) : parseBasic(item, element)));
  const first = element ?? values[0]?.type;
  if (first === undefined || values.some((value) => value?.type !== first)) return undefined;
  return { type: `a${first}`, value: values.map((value) => value!.value) };
}

/** Between commas that are not in quotes. */
function splitItems(text: string): string[] | undefined {
  if (text.trim() === '') return [];
  const items = text.match(/(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,'"])+/gs) ?? [];
  return items.join(',') === text ? items.map((item) => item.trim()) : undefined;
}

function parseBasic(text: string, type: string | undefined): Value | undefined {
  const [, single, double] = /^(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")$/s.exec(text) ?? [];
  const quoted = single ?? double;
  if (quoted !== undefined) {
    if (type !== undefined && type !== 's' && type !== 'o') return undefined;
    return { type: type ?? 's', value: quoted.replace(/\\(.)/gs, '$1') };
  }
  if (text === 'true' || text === 'false') {
    return type === undefined || type === 'b' ? { type: 'b', value: text === 'true' } : undefined;
  }
  if (type === 'd' || (type === undefined && /^-?\d+\.\d+$/.test(text))) {
    return /^-?\d+(\.\d+)?$/.test(text) ? { type: 'd', value: Number(text) } : undefined;
  }
  const integer = type ?? 'i';
  if (!/^-?\d+$/.test(text) || !(integer in RANGES)) return undefined;
  const value = BigInt(text);
  const [least, most] = RANGES[integer]!;
  return value >= least && value <= most ? { type: integer, value } : undefined;
}

/** Least and greatest value of each type of integer. */
const RANGES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  y: [0n, 255n],
  n: [-(2n ** 15n), 2n ** 15n - 1n],
  q: [0n, 2n ** 16n - 1n],
  i: [-(2n ** 31n), 2n ** 31n - 1n],
  u: [0n, 2n ** 32n - 1n],
  x: [-(2n ** 63n), 2n ** 63n - 1n],
  t: [0n, 2n ** 64n - 1n],
};
