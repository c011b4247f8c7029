// @ts-check
/**
 * Test files at work: a few at a time, and none for ever.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';

/**
 * @typedef {object} Job
 * @property {string} name
 * @property {(emit: import('./test-outcomes.mjs').Emit, signal: AbortSignal) => Promise<void>} run resolves at its
 *   end, however it ends; the signal is to end it
 */

/**
 * Something hangs when nothing is heard of it for so long, in milliseconds. An engine's tests say nothing before the
 * last case is over, and a slow machine may take its time.
 */
const SILENCE_MS = 900_000;

/** What a job that was stopped has to end by itself. */
const END_MS = 10_000;

/** This process's children whose command line has that word. @param {string} word @returns {number[]} */
function children(word) {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      // proc_pid_stat(5): the parent is the second field after the name, which may hold anything.
      const parent = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ').pop()?.split(' ')[1];
      if (Number(parent) !== process.pid) return [];
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
      return command.includes(word) ? [Number(name)] : [];
    } catch {
      // It has ended.
      return [];
    }
  });
}

/**
 * Runs one job; stops it when it hangs, which is a failure.
 *
 * @param {Job} job
 * @param {import('./test-outcomes.mjs').Emit} emit
 * @param {number} [silence] milliseconds
 * @param {number} [end] milliseconds
 */
export async function runJob(job, emit, silence = SILENCE_MS, end = END_MS) {
  const controller = new AbortController();
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  let stopped = false;
  /** @param {string} text */
  const fail = (text) => emit({ kind: 'fail', file: job.name, name: job.name, text });
  const hangs = new Promise((resolve) => {
    timer = setTimeout(() => {
      stopped = true;
      fail(`it was stopped: nothing was heard of it for ${silence / 1000} seconds`);
      controller.abort();
      timer = setTimeout(() => {
        // One that waits for a program of its own hears no signal but this; its private world dies with it.
        for (const pid of children(job.name)) process.kill(pid, 'SIGKILL');
        resolve(undefined);
      }, end);
    }, silence);
  });
  /** @type {import('./test-outcomes.mjs').Emit} */
  const heard = (outcome) => {
    if (stopped) return;
    timer?.refresh();
    emit(outcome);
  };
  try {
    await Promise.race([job.run(heard, controller.signal), hangs]);
  } catch (error) {
    if (!stopped) fail(error instanceof Error ? (error.stack ?? error.message) : String(error));
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Calls `body` with each item, so many at a time, in order.
 *
 * @template T
 * @param {readonly T[]} items
 * @param {number} atATime
 * @param {(item: T) => Promise<void>} body
 */
export async function eachOf(items, atATime, body) {
  const rest = items.values();
  await Promise.all(
    Array.from({ length: atATime }, async () => {
      for (const item of rest) await body(item);
    }),
  );
}
