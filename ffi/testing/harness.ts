/**
 * Runs tapes on the real executor, for tests: one at a time with its input and output, or thousands in a batch.
 *
 * Everything works as an ordinary user. The other machine's executor runs under qemu-user where that and a cross
 * compiler are installed.
 *
 * @module
 */

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildExecutor } from '../../scripts/build-executor.mjs';
import type { Program } from '../program.ts';
import type { Machine } from '../syscalls.ts';
import { assemble, image } from '../tape.ts';
import { decodeMessages, type Message } from './messages.ts';

/** The descriptor that tests have the executor report on. */
export const REPORT_FD = 3;

export interface Runner {
  readonly machine: Machine;
  readonly elf: Uint8Array;
  /** What to put in front of an image's path: nothing, or an emulator. */
  readonly command: readonly string[];
}

export interface Result {
  readonly messages: readonly Message[];
  readonly status: number | null;
  readonly signal: string | null;
  readonly stdout: Buffer;
}

const host: Machine = process.arch === 'arm64' ? 'arm64' : 'x64';
const foreign: Machine = host === 'x64' ? 'arm64' : 'x64';
const built = buildExecutor();

/** This machine's executor. */
export const native: Runner = { machine: host, elf: readFileSync(built.executor), command: [] };

/** The other machine's executor under an emulator, or why it can't be tested here. */
export function emulated(): Runner | string {
  const emulator = foreign === 'arm64' ? 'qemu-aarch64-static' : 'qemu-x86_64-static';
  if (built.cross === undefined) return `no cross compiler for ${foreign}`;
  if (spawnSync(emulator, ['--version'], { stdio: 'ignore' }).status !== 0) return `no ${emulator}`;
  return { machine: foreign, elf: readFileSync(built.cross), command: [emulator] };
}

/** Runs a program; descriptor 3 is the report, 0 to 2 are pipes. */
export function runProgram(
  runner: Runner,
  program: Program,
  options: { fds?: Record<string, number>; reportFd?: number; input?: string } = {},
): Result {
  const tape = assemble(program, {
    machine: runner.machine,
    fds: options.fds ?? {},
    reportFd: options.reportFd ?? REPORT_FD,
  });
  return runImage(runner, image(runner.elf, tape), options.input);
}

/** Runs an image. */
export function runImage(runner: Runner, file: Uint8Array, input = ''): Result {
  return inTemporaryFolder((folder) => {
    const path = join(folder, 'image');
    writeFileSync(path, file, { mode: 0o755 });
    const [command, ...args] = [...runner.command, path];
    const run = spawnSync(command!, args, {
      input,
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      timeout: 10_000,
    });
    if (run.error) throw run.error;
    return {
      messages: decodeMessages(run.output[REPORT_FD] ?? Buffer.alloc(0)),
      status: run.status,
      signal: run.signal,
      stdout: run.stdout,
    };
  });
}

/**
 * Runs many images with descriptor 3 on a file each, and 0 to 2 on /dev/null. As root they run as nobody: they are
 * meant to be harmless, but these tests look for an executor that does what it was not told.
 */
export function runBatch(
  runner: Runner,
  images: readonly Uint8Array[],
): { report: Buffer; status: number }[] {
  return inTemporaryFolder((folder) => {
    chmodSync(folder, 0o777);
    images.forEach((file, index) => {
      writeFileSync(join(folder, `image${index}`), file, { mode: 0o755 });
      writeFileSync(join(folder, `report${index}`), '');
      chmodSync(join(folder, `report${index}`), 0o666);
    });
    const loop = `ulimit -c 0; umask 022; i=0
      while [ $i -lt ${images.length} ]; do
        ${runner.command.join(' ')} ./image$i 3>report$i </dev/null >/dev/null 2>&1
        echo $?
        i=$((i + 1))
      done`;
    const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    const run = spawnSync('/bin/sh', ['-c', loop], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 60_000,
      ...nobody,
    });
    if (run.error) throw run.error;
    const statuses = run.stdout.trim().split('\n').map(Number);
    return images.map((_, index) => ({
      report: readFileSync(join(folder, `report${index}`)),
      status: statuses[index] ?? -1,
    }));
  });
}

function inTemporaryFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'runts-test-'));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
