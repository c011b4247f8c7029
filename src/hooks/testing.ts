/**
 * Runs hooks, for tests: in this process, or as a program that reads a scenario and prints what came of it.
 *
 * @module
 */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { RuntsError } from '../errors.ts';
import type { Hook } from '../spec/types.ts';
import { type HookPhase, runHooks } from './run.ts';

export interface Scenario {
  phase: HookPhase;
  hooks: Hook[];
  state: object;
}

export interface Result {
  /** Undefined when all hooks succeeded. */
  error?: { code: string; message: string; field?: string; errno?: string };
  elapsedMs: number;
  /** Descriptors that are open now and were not before. */
  leaked: string[];
}

function openDescriptors(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [`${fd} ${readlinkSync(`/proc/self/fd/${fd}`)}`];
    } catch {
      return []; // the one that readdir used
    }
  });
}

/** Runs a scenario in this process. */
export async function play({ phase, hooks, state }: Scenario): Promise<Result> {
  const before = new Set(openDescriptors());
  const began = performance.now();
  let error: Result['error'];
  try {
    await runHooks(phase, hooks, state);
  } catch (failure) {
    if (!(failure instanceof RuntsError)) throw failure;
    const { field, errno } = failure.details;
    error = { code: failure.code, message: failure.message, field, errno };
  }
  const elapsedMs = performance.now() - began;
  return { error, elapsedMs, leaked: openDescriptors().filter((entry) => !before.has(entry)) };
}

/** The program: a scenario on standard input, the result on standard output. */
export async function main(): Promise<void> {
  console.log(JSON.stringify(await play(JSON.parse(readFileSync(0, 'utf8')) as Scenario)));
}
