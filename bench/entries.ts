/**
 * Which target does what with which configuration: the entries of a run.
 *
 * @module
 */

import { makeBundles, type Surroundings } from './bundle.ts';
import { FLOOR, recordFloor } from './floor.ts';
import {
  type CommandLines,
  type Cycle,
  commandLines,
  type Place,
  runOnly,
  sampleOf,
  selectCycles,
  wantedMeasures,
} from './measures.ts';
import type { Options } from './options.ts';
import type { Sample } from './plan.ts';
import { growthOf } from './profiles.ts';
import type { Skipped } from './results.ts';
import type { Runner } from './runner.ts';
import type { Target } from './targets.ts';

/** One target in one cycle with one profile: what a sample is taken of. */
export interface Entry {
  profile: string;
  cycle: Cycle;
  target: string;
  lines: (place: Place) => CommandLines;
  places: Place[];
  wanted: Set<string>;
}

/** Most containers, mounts or others that a slow target takes part with. */
const SLOW_LIMIT = 100;

const noContainer: Place = { id: '', bundle: '', stateRoot: '/', pidFile: '' };

/** The cycles of a profile; what has no container, and what is asked for once, comes with the first. */
function cyclesOf(profile: string, first: boolean, options: Options): Cycle[] {
  const growth = growthOf(profile);
  return selectCycles(options.only, options.fleets).filter((cycle) => {
    if (growth?.what === 'mounts') return cycle.name === 'run';
    if (growth?.what === 'others') return cycle.payload !== undefined && cycle.fleet !== true;
    return first || (cycle.payload !== undefined && cycle.fleet !== true);
  });
}

/** What the floor does in the place of a cycle's commands. */
const FLOOR_MODES: Readonly<Record<string, 'run' | 'create'>> = { run: 'run', lifecycle: 'create' };

/** A cycle as one call of floor.c, which gives one figure. */
function floorCycle(cycle: Cycle): Cycle {
  const [measure] = cycle.measures as [string];
  return {
    ...cycle,
    measures: [measure],
    steps: (lines) => [{ kind: 'run', argv: lines.run, slot: measure }],
  };
}

function takesPart(target: Target, cycle: Cycle, profile: string): boolean {
  if (target.floor) return FLOOR_MODES[cycle.name] !== undefined && growthOf(profile)?.what !== 'others';
  if (!target.slow) return true;
  return cycle.lanes < SLOW_LIMIT && (growthOf(profile)?.count ?? 0) < SLOW_LIMIT;
}

/** The entries of some profiles, those that are compared together; bundles are made. */
export async function makeEntries(
  profiles: readonly string[],
  options: Options,
  surroundings: Surroundings,
  targets: readonly Target[],
): Promise<Entry[][]> {
  const groups: Entry[][] = [];
  for (const [index, profile] of profiles.entries()) {
    for (const cycle of cyclesOf(profile, index === 0, options)) {
      const group: Entry[] = [];
      groups.push(group);
      const wanted = (): Set<string> => wantedMeasures(cycle, options.only);
      if (cycle.host) {
        const lines = runOnly([`${surroundings.workFolder}/rootfs/bin/true`]);
        const places = [noContainer];
        group.push({ profile: '', cycle, target: 'busybox', lines: () => lines, places, wanted: wanted() });
        continue;
      }
      for (const target of targets) {
        if (!takesPart(target, cycle, profile)) continue;
        const own = target.floor ? floorCycle(cycle) : cycle;
        if (wantedMeasures(own, options.only).size === 0) continue;
        group.push({
          profile: cycle.payload === undefined ? '' : profile,
          cycle: own,
          target: target.name,
          ...(await placesOf(target, cycle, profile, surroundings)),
          wanted: wantedMeasures(own, options.only),
        });
      }
    }
  }
  return groups;
}

async function placesOf(
  { name, command, floor }: Target,
  cycle: Cycle,
  profile: string,
  surroundings: Surroundings,
): Promise<Pick<Entry, 'lines' | 'places'>> {
  const lines = (place: Place): CommandLines => commandLines(command, place);
  if (cycle.payload === undefined) return { lines, places: [noContainer] };
  const id = floor ? `${name}-${cycle.name}` : name;
  const places = makeBundles(surroundings, profile, cycle.payload, name, cycle.lanes, id);
  if (!floor) return { lines, places };
  const mode = FLOOR_MODES[cycle.name] ?? 'run';
  for (const place of places) await recordFloor(place, surroundings.executor, mode);
  return { lines: ({ bundle }) => runOnly([...command, `${bundle}/${FLOOR}`]), places };
}

/** The sample of an entry. */
export function sampleOfEntry(entry: Entry): Sample {
  const key = `${entry.profile}|${entry.cycle.name}|${entry.target}`;
  return sampleOf(key, entry.cycle, entry.lines, entry.places, entry.wanted);
}

/**
 * Tries an entry once, and leaves out the measures that its runtime can't do.
 *
 * @returns how long it took, in milliseconds; undefined when nothing remains
 */
export function tryEntry(entry: Entry, runner: Runner, skipped: Skipped[]): number | undefined {
  for (;;) {
    const sample = sampleOfEntry(entry);
    const [result] = runner.run([sample], () => `trying ${sample.key}`);
    const failure = result?.failures[0];
    if (failure === undefined) return (result?.wallNs ?? 0) / 1e6;
    const step = sample.lanes[failure.lane]?.steps[failure.step];
    const skip = {
      profile: entry.profile,
      target: entry.target,
      reason: failure.text || `status ${failure.status}`,
    };
    const slot = step?.slot;
    if (slot === undefined || !entry.cycle.optional.includes(slot)) {
      const measure = slot ?? `${entry.cycle.name}: ${step?.argv.at(-2) ?? 'the end of the container'}`;
      skipped.push({ ...skip, measure });
      return undefined;
    }
    skipped.push({ ...skip, measure: slot });
    entry.wanted.delete(slot);
    if (entry.cycle.optional.every((measure) => !entry.wanted.has(measure))) return undefined;
  }
}
