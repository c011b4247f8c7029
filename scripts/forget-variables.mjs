// @ts-check
/**
 * Makes an executable forget environment variables by which its engine would change what it runs.
 *
 * A compiled Bun program obeys some of Bun's own variables before a line of the program is executed: BUN_BE_BUN turns it
 * into Bun itself, BUN_OPTIONS takes any option (and so any script), BUN_INSPECT opens a debugger. There is no option of
 * `bun build` against it. So the names are made ones that no environment can have: a name never begins with `=`.
 *
 * @module
 */

export const FORGOTTEN = [
  'BUN_BE_BUN',
  'BUN_OPTIONS',
  'BUN_BYTECODE_ORDER_OUT',
  'BUN_INSPECT',
  'BUN_INSPECT_CONNECT_TO',
  'BUN_INSPECT_NOTIFY',
  'BUN_INSPECT_PRELOAD',
];

/**
 * Changes the program in place: every name that stands there by itself, between NULs.
 *
 * @param {Buffer} program
 * @returns {string[]} the names that were not found, which this build of the engine doesn't read so
 */
export function forgetVariables(program) {
  return FORGOTTEN.filter((name) => {
    const literal = Buffer.from(`\0${name}\0`, 'latin1');
    let found = false;
    for (let at = program.indexOf(literal); at >= 0; at = program.indexOf(literal, at + 1)) {
      program[at + 1] = '='.charCodeAt(0);
      found = true;
    }
    return !found;
  });
}
