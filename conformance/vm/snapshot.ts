/**
 * Snapshots of a booted machine that waits for its request.
 *
 * The memory is a file: the saving machine shares it, and every later one maps it copy-on-write, so nothing is
 * read that the guest does not touch. The file systems of the host are mounted only afterwards (a mounted 9p
 * can't be saved).
 *
 * @module
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { HostProcessor } from './accelerator.ts';
import { boot, type Machine, type Memory } from './boot.ts';
import { VmError } from './errors.ts';
import { withLock } from './lock.ts';
import { type MachineOptions, machineKey } from './machine.ts';
import { snapshotFolder } from './paths.ts';

/** As many are kept; each takes about 160 MB. */
const KEPT = 8;

/** A boot in emulation on a busy host takes ten seconds. */
const READY_MS = 120_000;

/** Memory stays in its file, instead of going into the stream. */
const CAPABILITIES = { capabilities: [{ capability: 'x-ignore-shared', state: true }] };

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Waits until the guest asks for its request.
 *
 * @throws {VmError} when it ends or takes longer than `limit` milliseconds
 */
async function untilReady(machine: Machine, limit = READY_MS): Promise<void> {
  const timer = setTimeout(machine.kill, limit);
  const line = await machine.nextLine();
  clearTimeout(timer);
  if (line === 'ready') return;
  machine.kill();
  await machine.ended;
  throw new VmError(`the VM did not boot: ${machine.postMortem()}`);
}

/** Whether a machine boots within that time, in milliseconds. */
export async function bootsWithin(
  limit: number,
  processor: HostProcessor,
  options: MachineOptions,
): Promise<boolean> {
  try {
    const machine = await boot(processor, options, { kind: 'fresh' });
    machine.sockets.out.resume();
    machine.sockets.err.resume();
    await untilReady(machine, limit);
    machine.kill();
    await machine.ended;
    return true;
  } catch {
    return false;
  }
}

async function save(machine: Machine, file: string): Promise<void> {
  await machine.monitor('migrate-set-capabilities', CAPABILITIES);
  await machine.monitor('migrate', { uri: `exec:cat > '${file.replaceAll("'", "'\\''")}'` });
  for (;;) {
    const { status } = (await machine.monitor('query-migrate')) as { status: string };
    if (status === 'completed') return;
    if (status === 'failed' || status === 'cancelled') throw new VmError(`the VM's snapshot: ${status}`);
    await pause(10);
  }
}

/** Snapshots of other kernels, sizes and QEMUs pile up. */
function removeOld(): void {
  const states = readdirSync(snapshotFolder).filter((name) => name.endsWith('.state'));
  const age = (name: string) => statSync(join(snapshotFolder, name)).mtimeMs;
  for (const name of states.sort((a, b) => age(b) - age(a)).slice(KEPT)) {
    // State first: without it there is no snapshot. A machine that runs from it keeps its mapping.
    rmSync(join(snapshotFolder, name), { force: true });
    rmSync(join(snapshotFolder, name.replace(/state$/, 'ram')), { force: true });
  }
}

async function make(processor: HostProcessor, options: MachineOptions, base: string): Promise<void> {
  mkdirSync(snapshotFolder, { recursive: true });
  const fresh = `${base}.${process.pid}`;
  const memory: Memory = { kind: 'saved', file: `${fresh}.ram` };
  try {
    const machine = await boot(processor, options, memory);
    machine.sockets.out.resume();
    machine.sockets.err.resume();
    try {
      await untilReady(machine);
      await save(machine, `${fresh}.state`);
    } finally {
      machine.kill();
      await machine.ended;
    }
    renameSync(`${fresh}.ram`, `${base}.ram`);
    renameSync(`${fresh}.state`, `${base}.state`);
    removeOld();
  } finally {
    rmSync(`${fresh}.ram`, { force: true });
    rmSync(`${fresh}.state`, { force: true });
  }
}

/** A booted machine from a snapshot, which is made when there is none. */
export async function fromSnapshot(processor: HostProcessor, options: MachineOptions): Promise<Machine> {
  const base = join(snapshotFolder, machineKey(processor, options));
  if (!existsSync(`${base}.state`)) {
    await withLock([`${base}.lock`], async () => {
      if (!existsSync(`${base}.state`)) await make(processor, options, base);
    });
  }
  const machine = await boot(processor, options, { kind: 'restored', file: `${base}.ram` });
  await machine.monitor('migrate-set-capabilities', CAPABILITIES);
  await machine.monitor('migrate-incoming', {
    uri: `exec:cat '${`${base}.state`.replaceAll("'", "'\\''")}'`,
  });
  return machine;
}

/** A machine from the start. */
export async function fromBoot(processor: HostProcessor, options: MachineOptions): Promise<Machine> {
  const machine = await boot(processor, options, { kind: 'fresh' });
  await untilReady(machine);
  return machine;
}
