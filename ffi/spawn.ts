/**
 * Starting the executor: a sealed copy of it in memory, by posix_spawn(3).
 *
 * A JavaScript engine is multi-threaded and can't fork; posix_spawn is the C library's clone(CLONE_VM | CLONE_VFORK),
 * whose child does nothing but what is asked for here before it executes the program.
 *
 * @module
 */

import { closeSync } from '#files';
import { RuntsError } from '../src/errors.ts';
import { errnoName, errnoText } from './constants/errno.ts';
import { F_SEAL } from './constants/file.ts';
import { addSeals, closeOnExecFrom, duplicate, memfdCreate } from './descriptors.ts';
import { failedWith, restartingSyscall } from './local.ts';
import type { NativeFunction } from './native.ts';
import { addressOfBytes, declareAll, native, nativeBytes } from './native.ts';
import type { ExitStatus } from './processes.ts';
import { keepChildren, waitFor } from './processes.ts';
import { utf8 } from './text.ts';

/** A descriptor of this process and the number that it gets in the child. Equal numbers hand it on as it is. */
export interface HandedDescriptor {
  from: number;
  to: number;
}

/** Which numbers the child's descriptors get. */
export interface DescriptorPlan<Name extends string> {
  /** Numbers by name, for the assembler. */
  numbers: Record<Name, number>;
  /** For {@link spawnExecutor}. */
  fds: HandedDescriptor[];
  /** For {@link spawnExecutor}: the descriptors that pass to the container, unchanged. */
  keep: number[];
}

export interface SpawnOptions {
  /** The ELF with its tape, from image(). */
  image: Uint8Array;
  /**
   * What the child gets, besides standard input, output and error. An entry with `to` 0, 1 or 2 replaces one of those.
   * No `to` may be another entry's `from`, which {@link planDescriptors} sees to.
   */
  fds: readonly HandedDescriptor[];
  /** Numbers of descriptors that the child gets unchanged. */
  keep?: readonly number[];
  /** Name of the memfd and of the process (15 bytes of it): what ps(1) shows until the container's own command takes over. */
  name?: string;
}

const STANDARD_STREAMS = [0, 1, 2] as const;
const EXECUTABLE_SEALS = F_SEAL.SEAL | F_SEAL.SHRINK | F_SEAL.GROW | F_SEAL.WRITE;

// posix_spawnattr_t has 336 bytes, posix_spawn_file_actions_t 80, with glibc and with musl; room to spare.
const OPAQUE_SIZE = 1024;
const SIGSET_T_SIZE = 128;
const POSIX_SPAWN_SETSIGDEF = 0x4;
const POSIX_SPAWN_SETSIGMASK = 0x8;

interface SpawnFunctions {
  posix_spawn: NativeFunction;
  posix_spawn_file_actions_init: NativeFunction;
  posix_spawn_file_actions_destroy: NativeFunction;
  posix_spawn_file_actions_adddup2: NativeFunction;
  /** The same for every child, so made once. */
  attributes: Uint8Array;
}
let functions: SpawnFunctions | undefined;

/**
 * Gives every handed descriptor a number that is above all of ours, so that no dup2(2) in the child overwrites a
 * descriptor that a later one copies, and above those that stay open in the container.
 *
 * @param handed - descriptors of this process by name
 * @param preserve - how many descriptors from 3 on the container keeps
 */
export function planDescriptors<Name extends string>(
  handed: Readonly<Record<Name, number>>,
  preserve: number,
): DescriptorPlan<Name> {
  const names = Object.keys(handed) as Name[];
  const keep = preservedDescriptors(preserve);
  let to = Math.max(STANDARD_STREAMS.length + preserve, ...names.map((name) => handed[name] + 1));
  const fds: HandedDescriptor[] = [];
  const numbers = {} as Record<Name, number>;
  for (const name of names) {
    fds.push({ from: handed[name], to });
    numbers[name] = to++;
  }
  return { numbers, fds, keep };
}

/**
 * The descriptors 3 to 3 + count - 1, which our caller must have opened.
 *
 * @throws RuntsError E_FDS when one is not open
 */
function preservedDescriptors(count: number): number[] {
  const keep = Array.from({ length: count }, (_, index) => STANDARD_STREAMS.length + index);
  for (const fd of keep) {
    if (!native().inherits(fd)) {
      throw new RuntsError('E_FDS', `file descriptor ${fd} is not open`, {
        hint: `--preserve-fds ${count} hands on the descriptors 3 to ${2 + count}: open them all`,
      });
    }
  }
  return keep;
}

/**
 * Starts a program that is given as bytes.
 *
 * The child gets standard input, output and error, what `fds` and `keep` name, and nothing else: everything else that
 * this process has open is close-on-exec from here on. Its signals are at their defaults and none is blocked, it has
 * no environment, and argv[0] alone. It stays in our session and working directory.
 *
 * @returns the child's pid
 * @throws RuntsError E_SYSCALL
 */
export function spawnExecutor({ image, fds, keep = [], name = 'runts-init' }: SpawnOptions): number {
  refuseClashes(fds, keep);
  functions ??= declareFunctions();
  const libc = functions;
  keepChildren();
  closeOnExecFrom(STANDARD_STREAMS.length);
  const program = sealedProgram(image, name, fds);
  const actions = new Uint8Array(OPAQUE_SIZE);
  const duplicateTo = (from: number, to: number): void => {
    const failure = libc.posix_spawn_file_actions_adddup2(actions, from, to);
    check('posix_spawn_file_actions_adddup2', failure);
  };
  check('posix_spawn_file_actions_init', libc.posix_spawn_file_actions_init(actions));
  try {
    for (const { from, to } of fds) duplicateTo(from, to);
    // Onto itself: clears close-on-exec in the child. The standard streams too, as Node sets it on them.
    for (const fd of STANDARD_STREAMS) if (!fds.some(({ to }) => to === fd)) duplicateTo(fd, fd);
    for (const fd of keep) duplicateTo(fd, fd);
    const pid = new Int32Array(1);
    const [argv, envp] = argumentsOf(name);
    const path = `/proc/self/fd/${program}`;
    check('posix_spawn', libc.posix_spawn(pid, path, actions, libc.attributes, argv, envp));
    return pid[0]!;
  } finally {
    libc.posix_spawn_file_actions_destroy(actions);
    closeSync(program);
  }
}

/**
 * Waits for the end of the child and reaps it.
 *
 * @returns undefined when it is no child of ours (any more)
 */
export function reapExecutor(pid: number): ExitStatus | undefined {
  try {
    return waitFor({ pid });
  } catch (error) {
    if (failedWith(error, 'ECHILD')) return undefined;
    throw error;
  }
}

/** Kills a child and reaps it. One that is not reaped keeps its pid, so this can't hit another process. */
export function endChild(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended
  }
  reapExecutor(pid);
}

/** The child copies one after the other: a copy must not land on a descriptor that is still to be copied or kept. */
function refuseClashes(fds: readonly HandedDescriptor[], keep: readonly number[]): void {
  for (const one of fds) {
    let clash = keep.includes(one.to);
    for (const other of fds)
      if (other !== one && (other.to === one.to || other.from === one.to)) clash = true;
    if (clash) throw new RuntsError('E_INTERNAL', `descriptor ${one.to} of the executor is assigned twice`);
  }
}

function declareFunctions(): SpawnFunctions {
  const pointer = 'void *';
  const libc = declareAll(null, {
    posix_spawn: ['int', [pointer, 'str', pointer, pointer, pointer, pointer]],
    posix_spawnattr_init: ['int', [pointer]],
    posix_spawnattr_setflags: ['int', [pointer, 'int']],
    posix_spawnattr_setsigdefault: ['int', [pointer, pointer]],
    posix_spawn_file_actions_init: ['int', [pointer]],
    posix_spawn_file_actions_destroy: ['int', [pointer]],
    posix_spawn_file_actions_adddup2: ['int', [pointer, 'int', 'int']],
  });
  const attributes = new Uint8Array(OPAQUE_SIZE);
  const flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
  const allSignals = new Uint8Array(SIGSET_T_SIZE).fill(0xff);
  check('posix_spawnattr_init', libc.posix_spawnattr_init(attributes));
  check('posix_spawnattr_setflags', libc.posix_spawnattr_setflags(attributes, flags));
  check('posix_spawnattr_setsigdefault', libc.posix_spawnattr_setsigdefault(attributes, allSignals));
  // The signal mask of new attributes is empty already.
  return { ...libc, attributes };
}

/** The program as a file that nobody can change any more, not even through /proc/PID/exe from inside a container. */
function sealedProgram(image: Uint8Array, name: string, fds: readonly HandedDescriptor[]): number {
  const fd = outOfTheWay(memfdCreate(name), fds);
  try {
    for (let written = 0; written < image.length; ) {
      const rest = image.subarray(written);
      written += restartingSyscall('write', [fd, rest, rest.length]);
    }
    addSeals(fd, EXECUTABLE_SEALS);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** The child executes the file by its number, after the dup2(2)s: it must not be the target of one. */
function outOfTheWay(fd: number, fds: readonly HandedDescriptor[]): number {
  if (!fds.some(({ to }) => to === fd)) return fd;
  try {
    return duplicate(fd, Math.max(...fds.map(({ to }) => to)) + 1);
  } finally {
    closeSync(fd);
  }
}

/** argv and envp in one piece of memory: {name, NULL} and {NULL}. */
function argumentsOf(name: string): [Uint8Array, Uint8Array] {
  const text = utf8(name);
  const memory = nativeBytes(24 + text.length + 1);
  memory.set(text, 24);
  new BigUint64Array(memory.buffer, 0, 1)[0] = addressOfBytes(memory) + 24n;
  return [memory, memory.subarray(8, 16)];
}

function check(name: string, failure: number): void {
  if (failure === 0) return;
  const errno = errnoName(failure);
  throw new RuntsError('E_SYSCALL', `cannot start the executor: ${name}: ${errnoText(failure)} (${errno})`, {
    syscall: name,
    errno,
    hint: hints()[errno],
  });
}

function hints(): Readonly<Record<string, string>> {
  return {
    ENOENT: '/proc must be mounted: the executor is started through /proc/self/fd',
    EACCES: 'a security module or the mount options of /proc forbid executing memory files',
    EPERM: 'a security module or a seccomp filter forbids it',
    ENOEXEC: 'the executor was built for another machine: install runts again',
    EBADF: 'a descriptor is closed, or the limit of open files (ulimit -n) is too low',
    EAGAIN: 'the limit of processes is reached: ulimit -u, or pids.max of the cgroup',
  };
}
