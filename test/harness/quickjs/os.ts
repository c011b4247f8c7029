/**
 * node:os for test programs under QuickJS.
 *
 * @module
 */

export function tmpdir(): string {
  return process.env.TMPDIR ?? '/tmp';
}
