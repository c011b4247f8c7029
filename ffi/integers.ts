/**
 * Arguments that are small integers, into a tape.
 *
 * @module
 */

/**
 * Writes those of `args` that are integers of 32 bits into the words from `at` on. The words are 0 before. null is 0.
 *
 * @param args - at most six
 * @returns the places of those that are something else, from 1, in three bits each, the first in the lowest
 */
export function putIntegers(words: Int32Array, at: number, args: readonly unknown[]): number {
  let others = 0;
  for (let k = args.length - 1; k >= 0; k--) {
    const arg = args[k];
    if (arg === null) continue;
    if (typeof arg === 'number' && (arg | 0) === arg) words[at + k] = arg;
    else others = (others << 3) | (k + 1);
  }
  return others;
}
