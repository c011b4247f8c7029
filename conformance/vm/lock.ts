/**
 * Locks between processes: flock(1) holds one for as long as this process keeps a pipe to it open.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { VmError } from './errors.ts';
import { vmFolder } from './paths.ts';

/** How often all of several locks are tried, in milliseconds. */
const RETRY_MS = 250;

/** Takes the lock of one file; undefined when `wait` is false and another process has it. */
async function acquire(file: string, wait: boolean): Promise<ChildProcess | undefined> {
  mkdirSync(dirname(file), { recursive: true });
  const args = [...(wait ? [] : ['-n']), '--no-fork', file, 'sh', '-c', 'echo; exec cat >/dev/null'];
  const holder = spawn('flock', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  holder.stdin.on('error', () => {});
  return new Promise((resolve, reject) => {
    holder.stdout.once('data', () => resolve(holder));
    holder.once('error', (error) => reject(new VmError(`flock ${file}: ${error.message}`)));
    holder.once('exit', () => resolve(undefined));
  });
}

/**
 * Calls `body` while holding the lock of one of the files, whichever is free first.
 *
 * @throws {VmError} when flock(1) is missing
 */
export async function withLock<T>(files: readonly string[], body: () => Promise<T> | T): Promise<T> {
  let holder: ChildProcess | undefined;
  while (holder === undefined) {
    for (const file of files) {
      holder = await acquire(file, files.length === 1);
      if (holder !== undefined) break;
    }
    if (holder === undefined) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
  try {
    return await body();
  } finally {
    holder.stdin?.end();
  }
}

/** One of these is held by each machine: as many run at a time as there are processors. */
export function machineSlots(): string[] {
  return Array.from({ length: availableParallelism() }, (_, i) => join(vmFolder, `slot-${i}.lock`));
}
