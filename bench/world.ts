/**
 * A private world to measure in: mount and pid namespaces of its own, an empty /run, and a pure cgroup v2 layout, which
 * crun needs. Nothing of it is left when the bench ends, however it ends.
 *
 * @module
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';

/** Set in the environment of the process inside: the name of the bench's cgroup. */
const INSIDE = 'RUNTS_BENCH_CGROUP';

/** Where everything of the bench is inside: tmpfs. */
export const workFolder = '/run/runts-bench';

/** Where the hierarchy is inside. */
export const cgroupMount = '/sys/fs/cgroup';

/** One line of /proc/self/mountinfo, as far as it matters here (proc_pid_mountinfo(5)). */
export interface MountEntry {
  mountPoint: string;
  type: string;
}

/** Mounts of a mountinfo text. */
export function parseMountinfo(text: string): MountEntry[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [before, after] = line.split(' - ') as [string, string];
      const mountPoint = (before.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      );
      return { mountPoint, type: (after ?? '').split(' ')[0] ?? '' };
    });
}

function mounts(): MountEntry[] {
  return parseMountinfo(readFileSync('/proc/self/mountinfo', 'utf8'));
}

/** Name of the bench's cgroup when this process is inside the world, else undefined. */
export function insideWorld(): string | undefined {
  return process.env[INSIDE];
}

/** Removes a cgroup and those below it; what is still in use stays. */
export function removeCgroup(folder: string): void {
  try {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (entry.isDirectory()) removeCgroup(`${folder}/${entry.name}`);
    }
    rmdirSync(folder);
  } catch {
    // Not there, or a process in it is still exiting.
  }
}

/**
 * Runs this program again inside a private world and waits for it.
 *
 * @param script the program, an absolute path
 * @returns its exit code
 * @throws Error when the world can't be made
 */
export function runInWorld(script: string, args: readonly string[]): number {
  if (process.getuid?.() !== 0) {
    throw new Error('the bench needs root for namespaces and cgroups (try: sudo npm run bench)');
  }
  const cgroup = `runts-bench-${process.pid}`;
  const { NODE_EXTRA_CA_CERTS: _slow, ...env } = process.env;
  const namespaces = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--'];
  // A shell as PID 1 reaps what the runtimes orphan; Node would leave zombies, which some runtimes wait for.
  const init = ['sh', '-c', '"$@"; exit $?', 'sh'];
  const program = [process.execPath, ...process.execArgv, script, ...args];
  const result = spawnSync('unshare', [...namespaces, ...init, ...program], {
    stdio: 'inherit',
    env: { ...env, [INSIDE]: cgroup },
  });
  for (const mount of mounts()) {
    if (mount.type.startsWith('cgroup')) removeCgroup(`${mount.mountPoint}/${cgroup}`);
  }
  if (result.error !== undefined) {
    throw new Error(`unshare (util-linux) can't be run: ${result.error.message}`);
  }
  return result.status ?? 130;
}

function command(program: string, ...args: string[]): void {
  const result = spawnSync(program, args, { encoding: 'utf8' });
  if (result.error !== undefined || result.status !== 0) {
    const text = result.error?.message ?? result.stderr.trim();
    throw new Error(`${program} ${args.join(' ')}: ${text}`);
  }
}

/** What there is inside. */
export interface World {
  /** Path of the bench's cgroup in the hierarchy, e.g. `/runts-bench-123`. */
  cgroup: string;
  /** Controllers that containers can have limits of. */
  controllers: Set<string>;
}

/**
 * Arranges the world's inside: /run, cgroups, the work folder.
 *
 * @param cgroup name that `insideWorld` gave
 * @param wanted controllers to pass on to the bench's cgroup, where the hierarchy has them
 * @throws Error naming the command that failed
 */
export function arrangeWorld(cgroup: string, wanted: readonly string[]): World {
  if (!mounts().some((mount) => mount.mountPoint === cgroupMount && mount.type === 'cgroup2')) {
    if (mounts().some((mount) => mount.mountPoint === cgroupMount)) command('umount', '-R', cgroupMount);
    command('mount', '-t', 'cgroup2', 'cgroup2', cgroupMount);
  }
  command('mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', '/run');
  mkdirSync(workFolder, { recursive: true });
  const folder = `${cgroupMount}/${cgroup}`;
  mkdirSync(folder, { recursive: true });
  const offered = readFileSync(`${cgroupMount}/cgroup.controllers`, 'utf8').trim().split(' ');
  const controllers = new Set(offered.filter((name) => wanted.includes(name)));
  // Before anything is measured: otherwise whoever comes first would pay for it.
  for (const name of controllers) {
    for (const parent of [cgroupMount, folder]) writeFileSync(`${parent}/cgroup.subtree_control`, `+${name}`);
  }
  return { cgroup: `/${cgroup}`, controllers };
}
