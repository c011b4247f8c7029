/**
 * What a container holds in memory while it waits or runs.
 *
 * Pss (proportional set size, proc_pid_smaps_rollup(5)) divides shared pages among those who map them: the honest price
 * of one more process. The charge to the memory cgroup adds what the kernel keeps for the container: namespaces, mounts,
 * page tables, pages of tmpfs.
 *
 * @module
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { commandLines, type Place } from './measures.ts';
import { median } from './stats.ts';

/** Memory of one container in one state, in KB. */
export interface MemoryFigure {
  /** Of every process that is there because of the container (the container's own, and monitors). */
  pssKB: number;
  rssKB: number;
  processes: number;
  /** Charged to the memory cgroup that the commands ran in; undefined where the kernel has none. */
  chargedKB: number | undefined;
}

/** A field of smaps_rollup or of another `Name:  123 kB` text; undefined when it has none. */
export function fieldKB(text: string, name: string): number | undefined {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text);
  return match === null ? undefined : Number(match[1]);
}

/** Memory controller of a /proc/cgroups text: on a v1 hierarchy, on v2, or none. */
export function memoryController(text: string): 'v1' | 'v2' | 'none' {
  const line = text.split('\n').find((l) => l.startsWith('memory\t'));
  const [, hierarchy, , enabled] = (line ?? '').split('\t');
  if (enabled !== '1') return 'none';
  return hierarchy === '0' ? 'v2' : 'v1';
}

interface Charge {
  /** Put a process into this to have it and its children charged. */
  folder: string;
  usageKB(): number;
  remove(): void;
}

let v1Mounted = false;

/** A memory cgroup of its own for one measurement, on whichever hierarchy has the controller; or why there is none. */
function newCharge(workFolder: string, cgroup: string, name: string): Charge | string {
  const kind = memoryController(readFileSync('/proc/cgroups', 'utf8'));
  if (kind === 'none') return 'the kernel has no memory controller';
  const mountPoint = kind === 'v2' ? '/sys/fs/cgroup' : `${workFolder}/memcg`;
  if (kind === 'v1' && !v1Mounted) {
    // The runtimes don't look here: for them the machine has cgroup v2 only.
    mkdirSync(mountPoint, { recursive: true });
    const mounted = spawnSync('mount', ['-t', 'cgroup', '-o', 'memory', 'memory', mountPoint]);
    if (mounted.status !== 0) return 'the v1 hierarchy of the memory controller can not be mounted';
    v1Mounted = true;
  }
  const parent = `${mountPoint}${cgroup}`;
  const folder = `${parent}/${name}`;
  mkdirSync(folder, { recursive: true });
  // On v2 the container's own cgroup is beside this one: the parent's usage has both.
  const usageFile = kind === 'v2' ? `${parent}/memory.current` : `${folder}/memory.usage_in_bytes`;
  const usage = (): number => Number(readFileSync(usageFile, 'utf8')) / 1024;
  let before: number;
  try {
    before = usage();
  } catch {
    rmdirSync(folder);
    return 'the memory controller is not passed on to the bench';
  }
  return {
    folder,
    usageKB() {
      try {
        // Drains the charges that each processor holds in advance (up to 256 KB each).
        if (kind === 'v1') writeFileSync(`${folder}/memory.force_empty`, '0');
      } catch {
        // It also tries to reclaim, and complains about what it can't.
      }
      return usage() - before;
    },
    remove: () => rmdirSync(folder),
  };
}

function processes(): Set<string> {
  return new Set(readdirSync('/proc').filter((name) => /^\d+$/.test(name)));
}

function memoryOf(pids: Iterable<string>): { pssKB: number; rssKB: number; processes: number } {
  const sum = { pssKB: 0, rssKB: 0, processes: 0 };
  for (const pid of pids) {
    let text: string;
    try {
      text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    } catch {
      continue; // Gone, or a zombie, which has no memory.
    }
    sum.pssKB += fieldKB(text, 'Pss') ?? 0;
    sum.rssKB += fieldKB(text, 'Rss') ?? 0;
    sum.processes++;
  }
  return sum;
}

function call(argv: readonly string[], charge: Charge | undefined): void {
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };
  // The container inherits these descriptors: a pipe would keep spawnSync waiting for its end.
  const stdio = 'ignore' as const;
  const into =
    charge === undefined ? [] : ['sh', '-c', 'echo 0 >"$0/cgroup.procs"; exec "$@"', charge.folder];
  const [program, ...args] = [...into, ...argv];
  const result = spawnSync(program as string, args, { stdio, env, timeout: 20_000 });
  if (result.status !== 0) throw new Error(`\`${argv.slice(-2).join(' ')}\` failed`);
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function once(
  command: readonly string[],
  place: Place,
  charge: Charge | undefined,
): { created: MemoryFigure; running: MemoryFigure } {
  const lines = commandLines(command, place);
  const before = processes();
  const look = (): MemoryFigure => {
    // Let the command's own exit, the last exec and the kernel's deferred work come to rest.
    sleep(30);
    const now = processes();
    const sum = memoryOf([...now].filter((pid) => !before.has(pid)));
    return { ...sum, chargedKB: charge?.usageKB() };
  };
  try {
    call(lines.create, charge);
    const created = look();
    call(lines.start, charge);
    const running = look();
    return { created, running };
  } finally {
    spawnSync(lines.forceDelete[0] as string, lines.forceDelete.slice(1), { stdio: 'ignore' });
    sleep(20);
  }
}

function middle(figures: readonly MemoryFigure[]): MemoryFigure {
  const charged = figures.map((f) => f.chargedKB).filter((kb) => kb !== undefined);
  return {
    pssKB: median(figures.map((f) => f.pssKB)),
    rssKB: median(figures.map((f) => f.rssKB)),
    processes: Math.round(median(figures.map((f) => f.processes))),
    chargedKB: charged.length === figures.length ? median(charged) : undefined,
  };
}

/**
 * Memory of a created and of a running container (`sleep`), medians of several containers.
 *
 * @returns `uncharged` says why nothing could be charged
 * @throws Error when the runtime can't create or start it
 */
export function measureMemory(
  workFolder: string,
  cgroup: string,
  name: string,
  command: readonly string[],
  place: Place,
  repeats: number,
): { created: MemoryFigure; running: MemoryFigure; uncharged?: string } {
  let uncharged: string | undefined;
  const figures = Array.from({ length: repeats }, (_, i) => {
    const found = newCharge(workFolder, cgroup, `${name}-${i}`);
    const charge = typeof found === 'string' ? undefined : found;
    if (typeof found === 'string') uncharged = found;
    const figure = once(command, place, charge);
    try {
      charge?.remove();
    } catch {
      // A process of it is still exiting; it goes with the machine's next cleaning.
    }
    return figure;
  });
  return {
    created: middle(figures.map((f) => f.created)),
    running: middle(figures.map((f) => f.running)),
    ...(uncharged !== undefined && { uncharged }),
  };
}
