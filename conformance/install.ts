/**
 * Installs what the tests use where it is there: container engines, other runtimes, QEMU, some tools.
 * `npm run conformance -- install`, and `.ci/run` before the tests.
 *
 * As root with apt-get only. What can't be installed is said, and the tests that need it are skipped.
 *
 * @module
 */
import { findCommand } from '../test/harness/requirements.ts';
import { PROGRAMS as ARM64 } from './arm64/run.ts';
import { buildah } from './buildah/engine.ts';
import { containerd } from './containerd/engine.ts';
import { docker } from './docker/engine.ts';
import { install, missingPackages } from './engines/options.ts';
import { podman } from './podman/engine.ts';
import { missingPackages as missingForVm } from './vm/programs.ts';

/** Debian package by program: runtimes to compare with, and what single tests use. */
const TOOLS = {
  crun: 'crun',
  fish: 'fish',
  ip: 'iproute2',
  newuidmap: 'uidmap',
  runc: 'runc',
  script: 'bsdutils',
  setpriv: 'util-linux',
  strace: 'strace',
  zsh: 'zsh',
} as const;

/** What is missing, by what it is for. The VM is made for x86-64, and other machines are emulated there. */
function missing(): Record<string, string[]> {
  const engines = [containerd, docker, podman, buildah].map(({ title, programs }): [string, string[]] => [
    title,
    missingPackages(programs),
  ]);
  const all: Record<string, string[]> = { tools: missingPackages(TOOLS), ...Object.fromEntries(engines) };
  if (process.arch === 'x64') {
    all['the test VM'] = missingForVm();
    all.arm64 = missingPackages(ARM64);
  }
  return Object.fromEntries(
    Object.entries(all).map(([what, names]) => [what, names.flatMap((text) => text.split(' '))]),
  );
}

/** @returns the exit code: 0 when all of it is there */
export function run(): number {
  const wanted = Object.entries(missing()).filter(([, packages]) => packages.length > 0);
  if (wanted.length === 0) return 0;
  const all = [...new Set(wanted.flatMap(([, packages]) => packages))];
  if (process.geteuid?.() !== 0 || findCommand('apt-get') === undefined) {
    process.stderr.write(`not installed, as that takes root and apt-get: ${all.join(' ')}\n`);
    return 1;
  }
  process.stderr.write(`installing ${all.join(' ')}\n`);
  try {
    install(all);
    return 0;
  } catch {
    // One of them may have a conflict with what is here.
  }
  let failed = false;
  for (const [what, packages] of wanted) {
    try {
      install(packages);
    } catch (error) {
      failed = true;
      const lines = (error instanceof Error ? error.message : String(error)).trim().split('\n');
      process.stderr.write(
        `not installed for ${what}: ${packages.join(' ')}: ${lines.slice(-2).join(' ')}\n`,
      );
    }
  }
  return failed ? 1 : 0;
}
