/**
 * Host programs that the VM needs, and how they get here.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { VmError } from './errors.ts';

/** Debian package by program. */
const PROGRAMS: Readonly<Record<string, string>> = {
  'qemu-system-x86_64': 'qemu-system-x86',
  gcc: 'gcc libc6-dev',
  depmod: 'kmod',
  modprobe: 'kmod',
  'mkfs.ext4': 'e2fsprogs',
  xz: 'xz-utils',
  setpriv: 'util-linux',
  flock: 'util-linux',
  'dpkg-deb': 'dpkg',
  'apt-get': 'apt',
};

const environment: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`,
  LC_ALL: 'C.UTF-8',
  DEBIAN_FRONTEND: 'noninteractive',
};

/** The program's path; administrators' folders count too. */
export function findProgram(name: string): string | undefined {
  for (const folder of environment.PATH!.split(delimiter)) {
    if (folder === '') continue;
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      // The next folder.
    }
  }
  return undefined;
}

/**
 * Runs a host program to its end.
 *
 * @param input bytes for its standard input
 * @returns its standard output
 * @throws {VmError} when it can't be started or fails, with what it printed on standard error
 */
export function runProgram(
  name: string,
  args: readonly string[],
  options: { cwd?: string; input?: Uint8Array } = {},
): Buffer {
  const result = spawnSync(name, args, { ...options, env: environment, maxBuffer: 1 << 30 });
  if (result.error !== undefined) throw new VmError(`${name}: ${result.error.message}`);
  if (result.status === 0) return result.stdout;
  const how = result.signal === null ? `exit code ${result.status}` : `signal ${result.signal}`;
  throw new VmError(`${name} ${args.join(' ')}: ${how}\n${result.stderr.toString().trimEnd()}`);
}

/** Packages of programs that are not here. */
export function missingPackages(): string[] {
  const missing = Object.entries(PROGRAMS).filter(([program]) => findProgram(program) === undefined);
  return [...new Set(missing.map(([, packages]) => packages))];
}

function isDebian(): boolean {
  if (!existsSync('/etc/os-release')) return false;
  return /^ID(_LIKE)?=.*\bdebian\b/m.test(readFileSync('/etc/os-release', 'utf8'));
}

/**
 * Why there can be no VM on this host as it is, in one sentence; undefined when there can. Installs nothing.
 *
 * `npm test` tries one, and says in RUNTS_NO_VM why that failed.
 */
export function missingForVm(): string | undefined {
  if (process.env.RUNTS_NO_VM !== undefined) return process.env.RUNTS_NO_VM;
  if (process.arch !== 'x64') return `the test VM is made for x86-64, this is ${process.arch}`;
  if (!isDebian()) return "the test VM takes its kernel from Debian's packages, this is no Debian";
  const packages = missingPackages();
  if (packages.length === 0) return undefined;
  return `the test VM needs: apt-get install --no-install-recommends ${packages.join(' ')}`;
}

/** A mirror that doesn't answer is given up soon; another apt-get is waited for. In seconds. */
export const APT_OPTIONS = [
  'Acquire::http::Timeout=30',
  'Acquire::https::Timeout=30',
  'DPkg::Lock::Timeout=300',
];

/** apt-get, once more with fresh package lists when it fails: those of a new machine are empty, of an old one stale. */
export function aptGet(args: readonly string[], cwd?: string): void {
  const options = cwd === undefined ? {} : { cwd };
  const apt = (...words: string[]) =>
    runProgram('apt-get', [...APT_OPTIONS.flatMap((option) => ['-o', option]), ...words], options);
  try {
    apt(...args);
  } catch {
    apt('update', '-qq');
    apt(...args);
  }
}

/**
 * Installs what is missing when that is possible from here.
 *
 * @throws {VmError} when it isn't
 */
export function ensurePrograms(): void {
  const packages = missingPackages();
  if (process.arch === 'x64' && isDebian() && packages.length > 0 && process.getuid?.() === 0) {
    const words = packages.flatMap((text) => text.split(' '));
    process.stderr.write(`vm: installing ${words.join(' ')}\n`);
    // Nothing that the host has may be taken away for the VM's sake.
    aptGet(['install', '-y', '-qq', '--no-install-recommends', '--no-remove', ...words]);
  }
  const reason = missingForVm();
  if (reason !== undefined) throw new VmError(reason);
}
