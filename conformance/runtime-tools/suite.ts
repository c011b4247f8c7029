/**
 * A build of the OCI validation suite (opencontainers/runtime-tools), and running one of its programs.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CgroupMode, inWorld } from '../../test/harness/world.ts';
import { type Outcome, outcomeOf } from './tap.ts';

export interface Suite {
  /** Absolute. */
  readonly folder: string;
  /** "create" for validation/create/create.t, sorted. */
  readonly programs: readonly string[];
}

/**
 * @param folder holds `runtimetest`, the root file system's archive and validation/NAME/NAME.t
 * @throws Error naming what is missing there
 */
export function openSuite(folder: string): Suite {
  const need = (ok: boolean, what: string) => {
    if (!ok) throw new Error(`${folder} is no build of the OCI validation suite: no ${what}`);
  };
  need(existsSync(join(folder, 'runtimetest')), 'runtimetest');
  need(
    readdirSync(folder).some((name) => /^rootfs-.*\.tar\.gz$/.test(name)),
    'rootfs-*.tar.gz',
  );
  const validation = join(folder, 'validation');
  need(existsSync(validation), 'validation/');
  const programs = readdirSync(validation).filter((name) => existsSync(join(validation, name, `${name}.t`)));
  need(programs.length > 0, 'validation/*/*.t (make validation-executables)');
  return { folder, programs: programs.sort() };
}

/** A runtime as the suite calls it. */
export interface Runtime {
  readonly name: string;
  /** Absolute path of one program. */
  readonly path: string;
  readonly cgroups: CgroupMode;
}

/** The cgroups that the suite's configs name, and containers' own: their ids are UUIDs. */
const CGROUP = /\/(cgrouptest|testdir(\/.*)?|[0-9a-f]{8}-[0-9a-f-]{27})$/;

function cgroupFolders(): string[] {
  // find, not readdirSync: cgroups come and go during the walk.
  const found = spawnSync('find', ['/sys/fs/cgroup', '-depth', '-type', 'd'], { encoding: 'utf8' });
  return found.stdout.split('\n');
}

/** Frozen processes don't die; cgroup.kill and freezer.state exist in one of the two hierarchies. */
function removeCgroups(folders: readonly string[]): void {
  for (const folder of folders) {
    try {
      rmdirSync(folder);
    } catch {
      // A process of it is still exiting, or the runtime has removed it meanwhile.
    }
  }
}

/**
 * Runs one program against one runtime in a private world.
 *
 * @param limit seconds
 */
export function runProgram(suite: Suite, program: string, runtime: Runtime, limit: number): Outcome {
  const before = new Set(cgroupFolders());
  // The suite unpacks its bundles there.
  const temporary = mkdtempSync(join(tmpdir(), 'runtime-tools-'));
  // A container's root in a user namespace must get through.
  chmodSync(temporary, 0o711);
  const time = ['timeout', '--kill-after=5', String(limit)];
  const { NODE_EXTRA_CA_CERTS: _slow, ...env } = process.env;
  try {
    const result = inWorld(
      { cgroups: runtime.cgroups, network: true },
      [...time, `validation/${program}/${program}.t`],
      {
        cwd: suite.folder,
        env: { ...env, RUNTIME: runtime.path, TMPDIR: temporary },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    return outcomeOf({
      stdout: result.stdout,
      stderr: result.stderr,
      status: result.status ?? undefined,
      timedOut: result.status === 124 || result.status === 137,
    });
  } finally {
    removeCgroups(cgroupFolders().filter((folder) => !before.has(folder) && CGROUP.test(folder)));
    // The world's mounts are gone with it.
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** "runc version 1.1.5" and the like. */
export function versionOf(path: string): string {
  return spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout.split('\n')[0] ?? '';
}

/** Whether the host has v1 hierarchies, which some runtimes can't be used without. */
export function hasLegacyCgroups(): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8').includes(' - cgroup ');
}
