/**
 * 64-bit integers of a config. JSON.parse makes doubles of them: exact up to 2^53, rounded above. For a limit that is
 * of no importance; for a value that a seccomp rule compares with it is, and for the greatest values, which mean
 * "no limit" and round up to 2^64 and 2^63.
 *
 * @module
 */

import type { LinuxSeccompArg, Spec } from './types.ts';

const UINT64_MAX = (1n << 64n) - 1n;
const INT64_MAX = (1n << 63n) - 1n;
const INT64_MIN = -(1n << 63n);

/** A double that was a uint64 in JSON: 18446744073709551615 (RLIM_INFINITY) has become 2^64. */
export function uint64(value: number): bigint {
  const integer = BigInt(value);
  return integer > UINT64_MAX ? UINT64_MAX : integer;
}

/** A double that was an int64 in JSON. */
export function int64(value: number): bigint {
  const integer = BigInt(value);
  if (integer > INT64_MAX) return INT64_MAX;
  return integer < INT64_MIN ? INT64_MIN : integer;
}

type ArgKey = 'value' | 'valueTwo';

/** The exact values that the JSON text had where the double has lost digits. */
const exact = new WeakMap<LinuxSeccompArg, Partial<Record<ArgKey, bigint>>>();

/** A seccomp rule's `value` or `valueTwo` (default 0), with all the digits that config.json has. */
export function seccompArgValue(arg: LinuxSeccompArg, key: ArgKey): bigint {
  return exact.get(arg)?.[key] ?? uint64(arg[key] ?? 0);
}

/**
 * Notes the exact seccomp values of a spec that was parsed from `text`. Costs a second parse, but only for a config
 * with such a value.
 */
export function noteExactIntegers(spec: Spec, text: string): void {
  const args = seccompArgs(spec);
  if (args.every(isExact)) return;
  const quoted = quoteLongIntegers(text);
  seccompArgs(JSON.parse(quoted) as Spec).forEach((twin, i) => {
    const arg = args[i];
    if (arg === undefined) return;
    const values: Partial<Record<ArgKey, bigint>> = {};
    for (const key of ['value', 'valueTwo'] as const) {
      const digits: unknown = twin[key];
      if (typeof digits === 'string' && BigInt(digits) <= UINT64_MAX) values[key] = BigInt(digits);
    }
    exact.set(arg, values);
  });
}

/** The same JSON with strings in place of integers of 16 or more digits. No regular expression runs over whole strings. */
function quoteLongIntegers(text: string): string {
  let quoted = '';
  let at = 0;
  while (at < text.length) {
    const open = text.indexOf('"', at);
    const outside = open < 0 ? text.slice(at) : text.slice(at, open);
    quoted += outside.replace(/-?\d{16,}(?![\d.eE])/g, '"$&"');
    if (open < 0) break;
    let close = open + 1;
    while (text[close] !== '"') close += text[close] === '\\' ? 2 : 1;
    quoted += text.slice(open, close + 1);
    at = close + 1;
  }
  return quoted;
}

function isExact({ value, valueTwo = 0 }: LinuxSeccompArg): boolean {
  return value <= Number.MAX_SAFE_INTEGER && valueTwo <= Number.MAX_SAFE_INTEGER;
}

function seccompArgs(spec: Spec): LinuxSeccompArg[] {
  const all: LinuxSeccompArg[] = [];
  for (const { args } of spec.linux?.seccomp?.syscalls ?? []) if (args !== undefined) all.push(...args);
  return all;
}
