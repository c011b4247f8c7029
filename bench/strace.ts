/**
 * Counts of system calls, by `strace -c`. They don't vary with the machine's load: what changes them is the program.
 *
 * @module
 */

import { existsSync, readFileSync } from 'node:fs';
import type { Sample, Step } from './plan.ts';

/** System calls of one command, with all processes and threads that it started. */
export interface SyscallCount {
  total: number;
  errors: number;
  byName: Record<string, number>;
}

/** Path of strace; undefined where there is none. */
export function findStrace(): string | undefined {
  return ['/usr/bin/strace', '/usr/local/bin/strace', '/bin/strace'].find((file) => existsSync(file));
}

/** Counts in a `strace -c` table; undefined while it is not complete. */
export function parseStraceSummary(text: string): SyscallCount | undefined {
  const count: SyscallCount = { total: 0, errors: 0, byName: {} };
  let complete = false;
  for (const line of text.split('\n')) {
    // Columns: % time, seconds, usecs/call, calls, errors (may be blank), syscall.
    const match = /^\s*[\d.]+\s+[\d.]+\s+(?:\d+\s+)?(\d+)(?:\s+(\d+))?\s+(\w+)$/.exec(line);
    if (match === null) continue;
    if (match[3] === 'total') {
      complete = true;
      continue;
    }
    const calls = Number(match[1]);
    count.byName[match[3] as string] = calls;
    count.total += calls;
    count.errors += Number(match[2] ?? 0);
  }
  return complete ? count : undefined;
}

/** A sample whose commands with a slot run under strace, and the file that each slot's counts go to. */
export function traced(
  strace: string,
  sample: Sample,
  folder: string,
): { sample: Sample; files: Map<string, string> } {
  const files = new Map<string, string>();
  const wrap = (step: Step): Step => {
    if (step.slot === undefined) return step;
    const file = `${folder}/strace-${files.size}`;
    files.set(step.slot, file);
    // -D: the tracer is not the command's parent, so that a `create` ends while its container is still being traced.
    return { ...step, argv: [strace, '-D', '-f', '-c', '-S', 'calls', '-o', file, ...step.argv] };
  };
  const lanes = sample.lanes.map((lane) => ({ ...lane, steps: lane.steps.map(wrap) }));
  return { sample: { ...sample, lanes }, files };
}

/** Counts in a file that strace is about to finish; undefined when it doesn't within a second. */
export function awaitSummary(file: string): SyscallCount | undefined {
  for (let waited = 0; waited < 1000; waited += 10) {
    const count = existsSync(file) ? parseStraceSummary(readFileSync(file, 'utf8')) : undefined;
    if (count !== undefined) return count;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
  }
  return undefined;
}
