/**
 * NUL in strings. Every string of a config may become a C string: what follows a NUL would silently be lost, and with it a
 * path or an option would differ from the one that was checked.
 *
 * @module
 */

import { MAX_DEPTH } from '../json-file.ts';
import { displayPath, type Violation, violation } from '../violations.ts';

const ALLOWED = 'a string without NUL (\\u0000)';

/** Walks any value: keys and values at every depth, known to the schema or not. */
export function nulInStrings(value: unknown): Violation[] {
  const violations: Violation[] = [];
  const found = (keys: (string | number)[], text: string): void => {
    violations.push({
      ...violation(displayPath(keys), text, ALLOWED, 'nul-in-string'),
      spec: 'execve(2), mount(2)',
    });
  };
  const walk = (item: unknown, keys: (string | number)[]): void => {
    if (typeof item === 'string') {
      if (item.includes('\0')) found(keys, item);
    } else if (typeof item === 'object' && item !== null && keys.length <= MAX_DEPTH) {
      for (const [key, child] of Object.entries(item)) {
        const path = [...keys, Array.isArray(item) ? Number(key) : key];
        if (key.includes('\0')) found(path, key);
        walk(child, path);
      }
    }
  };
  walk(value, []);
  return violations;
}
