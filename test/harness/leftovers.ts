/**
 * What a runtime must not leave behind: processes, mounts, cgroups.
 *
 * @module
 */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { mountPoints, TOKEN } from './temporary.ts';

export interface Snapshot {
  /** `PID/START COMMAND` of every process of this pid namespace, zombies included. */
  processes: string[];
  mounts: string[];
  /** Cgroups of these tests, by path. */
  cgroups: string[];
}

/** What there is now. In a private world the processes are the tests' own. */
export function snapshot(): Snapshot {
  return { processes: processes(), mounts: mountPoints().sort(), cgroups: cgroups() };
}

function processes(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        const end = stat.lastIndexOf(')');
        // proc_pid_stat(5): the 22nd field, of which the name is the second.
        const start = stat.slice(end + 2).split(' ')[19];
        return [`${pid}/${start} ${command || stat.slice(stat.indexOf('('), end + 3)}`];
      } catch {
        return []; // it has ended
      }
    });
}

/** A process that was there may have executed another command since. */
function isIn(processes: readonly string[], entry: string): boolean {
  const identity = entry.slice(0, entry.indexOf(' ') + 1);
  return processes.some((one) => one.startsWith(identity));
}

/** Of every hierarchy, below the folder that all bundles of these tests have theirs in, or with its name elsewhere. */
function cgroups(): string[] {
  const found: string[] = [];
  for (const mount of cgroupMounts()) {
    for (const folder of foldersBelow(mount, 4)) {
      if (folder.includes(TOKEN) && !folder.endsWith(`/${TOKEN}`)) found.push(folder);
    }
  }
  return found.sort();
}

function cgroupMounts(): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => / - cgroup2? /.test(line))
    .map((line) => line.split(' ')[4]!);
}

function foldersBelow(folder: string, depth: number): string[] {
  if (depth === 0) return [];
  let names: string[];
  try {
    names = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(folder, entry.name));
  } catch {
    return []; // it was removed meanwhile
  }
  return names.flatMap((name) => [name, ...foldersBelow(name, depth - 1)]);
}

/**
 * Fails when there is more than before. What is on its way out gets a second.
 *
 * @param before - a {@link snapshot}
 * @param folders - that must be empty or not exist, like a runtime's --root
 */
export async function assertNothingLeft(before: Snapshot, folders: readonly string[] = []): Promise<void> {
  let left: Record<string, string[]> = {};
  for (let i = 0; i < 20; i++) {
    const now = snapshot();
    left = {
      processes: now.processes.filter((entry) => !isIn(before.processes, entry)),
      mounts: now.mounts.filter((entry) => !before.mounts.includes(entry)),
      cgroups: now.cgroups.filter((entry) => !before.cgroups.includes(entry)),
      files: folders.flatMap((folder) => filesIn(folder)),
    };
    if (Object.values(left).every((list) => list.length === 0)) return;
    await delay(50);
  }
  const nothing = { processes: [], mounts: [], cgroups: [], files: [] };
  assert.deepEqual(left, nothing, 'the runtime left something behind');
}

/** All but the runtime's cache of seccomp filters (crun has one of that name too). */
function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true })
      .filter((name) => String(name).split('/')[0] !== '.cache')
      .map((name) => join(folder, String(name)));
  } catch {
    return [];
  }
}
