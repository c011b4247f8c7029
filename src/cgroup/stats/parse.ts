/**
 * The forms in which cgroup v2 files give numbers; cgroup-v2.rst, "Interface Files". Pure.
 *
 * @module
 */

/** What "no limit" is in an event: the greatest uint64, as runc prints it. */
export const NO_LIMIT = 0xffffffffffffffffn;

/** A single value, `max` being no limit. */
export function singleValue(text: string): number | bigint {
  const value = text.trim();
  return value === 'max' ? NO_LIMIT : Number(value);
}

/** Flat keyed: a key and a value a line. */
export function flatKeyed(text: string): Record<string, number> {
  const values: Record<string, number> = {};
  for (const line of text.split('\n')) {
    const space = line.indexOf(' ');
    if (space > 0) values[line.slice(0, space)] = Number(line.slice(space + 1));
  }
  return values;
}

/** Nested keyed: a key and `name=value` pairs a line. */
export function nestedKeyed(text: string): [key: string, values: Record<string, number>][] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [key = '', ...pairs] = line.split(' ');
      const values: Record<string, number> = {};
      for (const pair of pairs) {
        const equals = pair.indexOf('=');
        if (equals > 0) values[pair.slice(0, equals)] = Number(pair.slice(equals + 1));
      }
      return [key, values];
    });
}

/** A list of numbers and ranges, `0-2,5`. */
export function numberList(text: string): number[] {
  const numbers: number[] = [];
  for (const range of text.trim().split(',')) {
    const [first = '', last = first] = range.split('-');
    if (first === '') continue;
    for (let n = Number(first); n <= Number(last); n++) numbers.push(n);
  }
  return numbers;
}
