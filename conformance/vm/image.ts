/**
 * What the machine starts from: kernel and initramfs, built when missing or older than their sources.
 *
 * @module
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { type CpioEntry, cpioArchive } from './cpio.ts';
import { buildKernel, kernelRelease, moduleFiles } from './kernel.ts';
import { withLock } from './lock.ts';
import { guestFolder, initramfs, kernelImage, vmFolder } from './paths.ts';
import { ensurePrograms, runProgram } from './programs.ts';

/** In the order of loading: the bus before its devices. Already here, each costs no fork in the guest. */
const MODULES = ['virtio_mmio', 'virtio_blk', 'virtio_console', '9p', '9pnet_virtio', 'overlay', 'ext4'];

function guestFiles(): string[] {
  const units = join(guestFolder, 'units');
  return [
    join(guestFolder, 'init.c'),
    join(guestFolder, 'masked-units'),
    ...readdirSync(units).map((name) => join(units, name)),
  ];
}

function modified(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function isBuilt(): boolean {
  if (kernelRelease() === undefined || !existsSync(initramfs)) return false;
  return [kernelImage, ...guestFiles()].every((file) => modified(file) <= modified(initramfs));
}

function buildInitramfs(): void {
  const init = join(vmFolder, 'init');
  runProgram('gcc', ['-O2', '-static', '-s', '-Wall', '-o', init, join(guestFolder, 'init.c')]);
  const folders = ['dev', 'proc', 'sys', 'host', 'layer', 'written', 'root', 'modules', 'units'];
  const entries: CpioEntry[] = folders.map((path) => ({ path }));
  entries.push({ path: 'init', data: readFileSync(init), mode: 0o755 });
  entries.push({ path: 'masked-units', data: readFileSync(join(guestFolder, 'masked-units')) });
  for (const name of readdirSync(join(guestFolder, 'units'))) {
    entries.push({ path: `units/${name}`, data: readFileSync(join(guestFolder, 'units', name)) });
  }
  // The guest loads them in the order of their names.
  moduleFiles(MODULES).forEach((file, i) => {
    const path = `modules/${String(i).padStart(3, '0')}-${basename(file)}`;
    entries.push({ path, data: readFileSync(file) });
  });
  writeFileSync(`${initramfs}.new`, cpioArchive(entries));
  renameSync(`${initramfs}.new`, initramfs);
}

/**
 * Makes sure of programs, kernel and initramfs.
 *
 * @throws {VmError} naming what is missing
 */
export async function ensureImage(): Promise<void> {
  ensurePrograms();
  if (isBuilt()) return;
  mkdirSync(vmFolder, { recursive: true });
  await withLock([join(vmFolder, 'build.lock')], () => {
    if (kernelRelease() === undefined) buildKernel();
    if (!isBuilt()) buildInitramfs();
  });
}

/**
 * An empty ext4 file system in a sparse file, made once for each size.
 *
 * @param size in GiB
 * @returns the file, to be copied
 */
export function emptyDisk(size: number): string {
  const file = join(vmFolder, `empty-${size}.img`);
  if (existsSync(file)) return file;
  const fresh = `${file}.${process.pid}`;
  const features = ['-O', '^has_journal', '-E', 'lazy_itable_init=1,discard,root_owner=0:0'];
  rmSync(fresh, { force: true });
  runProgram('truncate', ['-s', `${size}G`, fresh]);
  runProgram('mkfs.ext4', ['-q', '-F', '-m', '0', ...features, fresh]);
  renameSync(fresh, file);
  return file;
}
