/**
 * The program with a command that fails in ways that no caller sees, for tests: `state WAY`.
 *
 * @module
 */

import { LOADERS } from './loaders.ts';
import { start } from './start.ts';
import type { CommandRun } from './types.ts';

const fails = (): Promise<never> => Promise.reject(new Error('forgotten'));
const later = (): Promise<void> => new Promise((done) => setTimeout(done, 1));

const WAYS: Readonly<Record<string, () => unknown>> = {
  /** Nothing waits for it, and the command succeeds at once. */
  forgotten: () => void fails(),
  /** As before, but the command goes on. */
  meanwhile: () => {
    void fails();
    return new Promise(() => setTimeout(() => {}, 60_000));
  },
  /** Two of them: one line. */
  both: () => {
    void Promise.reject(new Error('first'));
    void fails();
  },
  /** No error at all. */
  nothing: () => void Promise.reject(undefined),
  /** In a function that the event loop calls. */
  callback: () => {
    setTimeout(() => {
      throw new Error('forgotten');
    }, 1);
    return new Promise(() => {});
  },
  /** Something waits for it before the jobs are done: no failure. */
  caught: async () => {
    const failing = fails();
    await Promise.resolve();
    await failing.catch(() => {});
    await Promise.allSettled([fails(), later()]);
    await Promise.race([later(), fails().catch(later)]);
  },
};

export function main(): Promise<never> {
  const run: CommandRun = async ({ operands }) => {
    await WAYS[operands[0]!]?.();
    return 0;
  };
  Object.assign(LOADERS, { state: async () => ({ run }) });
  start();
  // start ends the process.
  return new Promise(() => {});
}
