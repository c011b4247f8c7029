/**
 * What arm64 containers need of Debian: a kernel, the C library, libseccomp and a static busybox, from its packages for
 * that architecture. They are unpacked in dist/vm and never installed; the host's package lists stay as they are.
 *
 * @module
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { VmError } from '../vm/errors.ts';
import { kernelPackage } from '../vm/kernel.ts';
import { withLock } from '../vm/lock.ts';
import { vmFolder } from '../vm/paths.ts';
import { APT_OPTIONS, runProgram } from '../vm/programs.ts';

const folder = join(vmFolder, 'arm64');
const unpacked = join(folder, 'root');

/** Where the files of a shared library's package are, below /lib or /usr/lib. */
const LIBRARIES = 'aarch64-linux-gnu';

/** Options that make apt believe in a machine of its own, with nothing installed, in this folder. */
function aptOptions(): string[] {
  const state = join(folder, 'apt');
  for (const name of ['lists/partial', 'cache/archives/partial']) {
    mkdirSync(join(state, name), { recursive: true });
  }
  writeFileSync(join(state, 'status'), '');
  const options = [
    'APT::Architecture=arm64',
    'APT::Architectures=arm64',
    `Dir::State::lists=${join(state, 'lists')}`,
    `Dir::State::status=${join(state, 'status')}`,
    `Dir::Cache=${join(state, 'cache')}`,
    // Its sandbox's user can't write here.
    'APT::Sandbox::User=root',
    'Acquire::Languages=none',
    ...APT_OPTIONS,
  ];
  return options.flatMap((option) => ['-o', option]);
}

function download(): void {
  const options = aptOptions();
  const fresh = `${unpacked}.new`;
  const downloads = join(folder, 'downloads');
  for (const path of [fresh, downloads]) {
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path);
  }
  process.stderr.write('arm64: downloading packages\n');
  runProgram('apt-get', [...options, 'update', '-qq']);
  const kernel = kernelPackage('arm64', options);
  if (kernel === undefined) throw new VmError('apt knows no kernel package for arm64 (linux-image-arm64)');
  const packages = [kernel, 'libc6', 'libseccomp2', 'busybox-static'];
  runProgram('apt-get', [...options, 'download', '-qq', ...packages], { cwd: downloads });
  for (const name of readdirSync(downloads)) {
    runProgram('dpkg-deb', ['-x', join(downloads, name), fresh]);
  }
  rmSync(downloads, { recursive: true });
  rmSync(join(folder, 'apt'), { recursive: true });
  renameSync(fresh, unpacked);
}

/** The files of the packages. */
export interface Arm64Files {
  /** Path of the kernel's image. */
  readonly kernel: string;
  readonly busybox: Buffer;
  /** By file name: the program's libraries and their loader. */
  readonly libraries: Readonly<Record<string, Buffer>>;
}

function find(name: RegExp): string {
  const found = readdirSync(unpacked, { recursive: true, encoding: 'utf8' }).find((path) => name.test(path));
  if (found === undefined) throw new VmError(`no ${name} in the packages for arm64`);
  return join(unpacked, found);
}

/**
 * Downloads the packages when they are not here yet.
 *
 * @throws {VmError} when that fails
 */
export async function arm64Files(): Promise<Arm64Files> {
  mkdirSync(folder, { recursive: true });
  await withLock([join(folder, 'packages.lock')], () => {
    if (!existsSync(unpacked)) download();
  });
  const names = ['ld-linux-aarch64.so.1', 'libc.so.6', 'libdl.so.2', 'libseccomp.so.2'];
  const library = (name: string) =>
    readFileSync(find(new RegExp(`/${LIBRARIES}/${name.replaceAll('.', '\\.')}$`)));
  return {
    kernel: find(/^boot\/vmlinuz-/),
    busybox: readFileSync(find(/(^|\/)bin\/busybox$/)),
    libraries: Object.fromEntries(names.map((name) => [name, library(name)])),
  };
}
