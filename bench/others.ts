/**
 * Other containers on the host: created, and waiting while something is measured beside them.
 *
 * @module
 */

import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { makeBundles, type Surroundings } from './bundle.ts';
import { commandLines } from './measures.ts';
import type { Sample } from './plan.ts';
import type { Runner } from './runner.ts';
import type { Target } from './targets.ts';
import { cgroupMount, removeCgroup } from './world.ts';

/** Their cgroup, below the bench's. */
function cgroupOf({ cgroup }: Surroundings): string {
  return `${cgroup}/others`;
}

/**
 * Creates containers, up to `count` for each runtime.
 *
 * @param present how many there are already
 * @throws Error when one can't be created
 */
export function addOthers(
  surroundings: Surroundings,
  targets: readonly Target[],
  runner: Runner,
  present: number,
  count: number,
): void {
  const below = { ...surroundings, cgroup: cgroupOf(surroundings) };
  const samples = targets.map(({ name, command }): Sample => {
    const places = makeBundles(below, 'bare', 'sleep', name, count, `other-${name}`).slice(present);
    const lanes = places.map((place) => ({
      steps: [{ kind: 'run' as const, argv: commandLines(command, place).create }],
    }));
    // One after the other: they share a root without a tmpfs on /dev, and crun fails when another makes /dev/ptmx first.
    return { key: name, concurrency: 1, lanes };
  });
  const results = runner.run(samples, (i) => `creating ${count} containers of ${samples[i]?.key}`);
  results.forEach(({ failures: [failure] }, i) => {
    if (failure !== undefined) throw new Error(`${samples[i]?.key}: create: ${failure.text}`);
  });
}

/** Kills them all, and removes what is left of them; their runtimes are not asked. */
export function removeOthers(surroundings: Surroundings, targets: readonly Target[]): void {
  const folder = `${cgroupMount}${cgroupOf(surroundings)}`;
  try {
    writeFileSync(`${folder}/cgroup.kill`, '1');
  } catch {
    return; // There never was one.
  }
  // Ended when nothing is in the cgroup any more; the kernel has no blocking call for that in a script.
  for (let i = 0; i < 10_000 && /^populated 1/m.test(readFileSync(`${folder}/cgroup.events`, 'utf8')); i++) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
  }
  removeCgroup(folder);
  for (const { name } of targets) {
    const state = `${surroundings.workFolder}/state/${name}`;
    for (const entry of readdirSync(state)) {
      if (entry.startsWith('other-')) rmSync(`${state}/${entry}`, { recursive: true, force: true });
    }
  }
}
