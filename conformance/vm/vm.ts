/**
 * Commands in a throw-away virtual machine: Debian's kernel with all of cgroup v2, over this host's own files.
 *
 * The guest's root is the host's, read-only; what is written goes to the guest's memory and vanishes. /scratch is
 * an empty ext4 disk. The project's folder is there at its own path.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { hostProcessor } from './accelerator.ts';
import type { CommandMachine } from './boot.ts';
import { temporary } from './cleanup.ts';
import { VmError } from './errors.ts';
import { emptyDisk, ensureImage } from './image.ts';
import { kernelRelease } from './kernel.ts';
import { packageLayer } from './layers.ts';
import { machineSlots, withLock } from './lock.ts';
import type { MachineOptions } from './machine.ts';
import { kernelFolder, vmFolder } from './paths.ts';
import { runProgram } from './programs.ts';
import { bootsWithin, fromBoot, fromSnapshot } from './snapshot.ts';

export { VmError } from './errors.ts';
export { missingForVm } from './programs.ts';

/** A KVM that takes longer than this to boot is slower than the emulation. */
const KVM_BOOT_MS = 8_000;

/** systemd in emulation on a busy host takes minutes. */
const START_MS = 600_000;

/** Exit status of a command that took too long, as of timeout(1). */
export const TIMED_OUT = 124;

export interface VmOptions {
  /** Boot systemd first and run the command as a unit of it. Costs some seconds. */
  readonly systemd?: boolean;
  /** MiB; 2048 without. */
  readonly memory?: number;
  /** 2 without. */
  readonly cpus?: number;
  /** GiB of the disk on /scratch; 20 without, 0 for no disk. Only what is written takes space. */
  readonly scratch?: number;
  /** Host folders that the command may write, at the same path. */
  readonly shares?: readonly string[];
  /** Debian packages that the command needs beside what is installed on the host. */
  readonly packages?: readonly string[];
  /** Environment beside HOME, USER, LANG and this process's PATH. */
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory; this process's without. */
  readonly cwd?: string;
  /** Seconds for the command itself, after which the machine is switched off; 600 without. */
  readonly timeout?: number;
  /** False to boot instead of starting from a snapshot. */
  readonly snapshot?: boolean;
  /** Standard error joins standard output, in order. */
  readonly merge?: boolean;
  /** Told of the steps: "ready" for a booted kernel, "start" for the command. */
  readonly onStep?: (step: string) => void;
}

/** Where the command's output goes, and its input comes from. */
export interface VmStreams {
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly stdin?: Readable;
}

const MERGED_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The request as guest/init.c reads it. */
function encodeRequest(
  command: readonly string[],
  options: VmOptions,
  machine: MachineOptions,
  input: boolean,
): Buffer {
  const items: [key: string, value: string][] = [
    ['clock', (Date.now() / 1000).toFixed(3).padEnd(14, '0')],
    ['seed', randomBytes(32).toString('hex')],
    ['modules', join(kernelFolder, 'lib/modules', kernelRelease()!)],
    ['cwd', resolve(options.cwd ?? '.')],
    ['env', `PATH=${[process.env.PATH, MERGED_PATH].filter(Boolean).join(':')}`],
  ];
  for (const [name, value] of Object.entries(options.env ?? {})) items.push(['env', `${name}=${value}`]);
  for (const word of command) items.push(['arg', word]);
  for (const path of machine.shares) items.push(['share', path]);
  if (machine.disk !== undefined) items.push(['scratch', '/dev/vda']);
  if (machine.layer !== undefined) items.push(['layer', machine.layer]);
  if (options.systemd) items.push(['systemd', '1']);
  if (options.merge) items.push(['merge', '1']);
  if (input) items.push(['stdin', '1']);
  const body = Buffer.from(items.map(([key, value]) => `${key}=${value}\0`).join(''));
  return Buffer.concat([Buffer.from(`${body.length}\n`), body]);
}

/** Reads the control port up to the machine's end. */
async function exitStatus(
  machine: CommandMachine,
  onStep: (step: string) => void,
): Promise<number | undefined> {
  let status: number | undefined;
  for (;;) {
    const line = await machine.nextLine();
    if (line === undefined) return status;
    const [word = '', value] = line.split(' ');
    if (word === 'exit') status = Number(value);
    else onStep(word === 'go' ? 'ready' : word);
  }
}

/** Booting shows whether KVM is any good, once for each of the host's boots. */
const processorFor = (shape: MachineOptions) => hostProcessor((kvm) => bootsWithin(KVM_BOOT_MS, kvm, shape));

/** Started, and waiting for a request. */
async function start(options: VmOptions, shape: MachineOptions): Promise<CommandMachine> {
  return (options.snapshot === false ? fromBoot : fromSnapshot)(await processorFor(shape), shape);
}

async function runOn(
  command: readonly string[],
  options: VmOptions,
  machineOptions: MachineOptions,
  streams: VmStreams,
): Promise<number> {
  const machine = await start(options, machineOptions);
  let timedOut = false;
  const kill = (isTimeout: boolean) => {
    timedOut = isTimeout;
    machine.kill();
  };
  let timer = setTimeout(kill, START_MS, false);
  const onStep = (step: string) => {
    options.onStep?.(step);
    if (step !== 'start') return;
    clearTimeout(timer);
    timer = setTimeout(kill, (options.timeout ?? 600) * 1000, true);
  };
  const { sockets } = machine;
  sockets.out.pipe(streams.stdout, { end: false });
  sockets.err.pipe(streams.stderr, { end: false });
  sockets.in.resume();
  streams.stdin?.pipe(sockets.in);
  sockets.control.write(encodeRequest(command, options, machineOptions, streams.stdin !== undefined));
  const status = await exitStatus(machine, onStep);
  await machine.ended;
  clearTimeout(timer);
  streams.stdin?.unpipe(sockets.in);
  if (status !== undefined) return status;
  if (timedOut) return TIMED_OUT;
  throw new VmError(`the VM ended without the command's exit status. ${machine.postMortem()}`);
}

/** A copy of the empty disk, sparse. */
function freshDisk(size: number): string {
  const folder = join(vmFolder, 'disks');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${process.pid}-${randomBytes(4).toString('hex')}.img`);
  runProgram('cp', ['--sparse=always', emptyDisk(size), file]);
  return file;
}

/**
 * Runs a command and passes its output on.
 *
 * Waits for its turn when as many machines as the host has processors run already.
 *
 * @returns the command's exit status: 128 + N for signal N, 127 when it isn't found, {@link TIMED_OUT}
 * @throws {VmError} when there is no VM to be had here
 */
export async function streamInVm(
  command: readonly string[],
  streams: VmStreams,
  options: VmOptions = {},
): Promise<number> {
  await ensureImage();
  const layer = options.packages?.length ? await packageLayer(options.packages) : undefined;
  return withLock(machineSlots(), async () => {
    const shape: MachineOptions = {
      memory: options.memory ?? 2048,
      cpus: options.cpus ?? 2,
      shares: (options.shares ?? []).map((path) => resolve(path)),
      ...(layer === undefined ? {} : { layer }),
    };
    const size = options.scratch ?? 20;
    if (size === 0) return runOn(command, options, shape, streams);
    const disk = freshDisk(size);
    const remove = temporary(disk);
    try {
      return await runOn(command, options, { ...shape, disk }, streams);
    } finally {
      remove();
    }
  });
}

/** What a command in the VM left. */
export interface VmResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Collects what is written. */
async function collector(): Promise<{ stream: Writable; text: () => string }> {
  const { Writable } = await import('node:stream');
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString() };
}

/**
 * Runs a command and keeps its output: `await runInVm(['runc', '--version'], { systemd: true })`.
 *
 * @throws {VmError} see {@link streamInVm}
 */
export async function runInVm(command: readonly string[], options: VmOptions = {}): Promise<VmResult> {
  const [stdout, stderr] = await Promise.all([collector(), collector()]);
  const status = await streamInVm(command, { stdout: stdout.stream, stderr: stderr.stream }, options);
  return { status, stdout: stdout.text(), stderr: stderr.text() };
}
