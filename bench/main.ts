/**
 * `npm run bench`: runts, runc and crun side by side in one run. See README.md beside this file.
 *
 * @module
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeBundles, makeRootfs } from './bundle.ts';
import { formatChart } from './chart.ts';
import { cpuMoment, describeMachine, otherWork } from './machine.ts';
import { type Cycle, figuresOf, type Place, sampleOf, selectCycles, wantedMeasures } from './measures.ts';
import { measureMemory } from './memory.ts';
import { type Options, parseOptions, usage } from './options.ts';
import { interleave, type Sample } from './plan.ts';
import { profiles } from './profiles.ts';
import { seededRandom } from './random.ts';
import { formatReport } from './report.ts';
import { makeRows, type Results, type Series, type Skipped, toJson } from './results.ts';
import { makeRunner, type Runner } from './runner.ts';
import { awaitSummary, findStrace, traced } from './strace.ts';
import { findTarget, type MissingTarget, type Target, usualTargets } from './targets.ts';
import { arrangeWorld, insideWorld, runInWorld, workFolder } from './world.ts';

const script = fileURLToPath(import.meta.url);
const benchFolder = dirname(script);

/** One target in one cycle with one profile: what a sample is taken of. */
interface Entry {
  profile: string;
  cycle: Cycle;
  target: string;
  command: readonly string[];
  places: Place[];
  wanted: Set<string>;
}

function log(text: string): void {
  process.stderr.write(`${text}\n`);
}

function makeEntries(options: Options, cgroup: string, targets: readonly Target[]): Entry[][] {
  const noContainer: Place = { id: '', bundle: '', stateRoot: '/', pidFile: '' };
  return options.profiles.flatMap((profile, profileIndex) =>
    selectCycles(options.only, options.fleets)
      // What has no container does not depend on the profile: once is enough.
      .filter((cycle) => cycle.payload !== undefined || profileIndex === 0)
      .map((cycle) => {
        const wanted = (): Set<string> => wantedMeasures(cycle, options.only);
        if (cycle.host) {
          const command = [`${workFolder}/rootfs/bin/true`];
          return [
            { profile: '', cycle, target: 'busybox', command, places: [noContainer], wanted: wanted() },
          ];
        }
        return targets.map((target) => ({
          profile: cycle.payload === undefined ? '' : profile,
          cycle,
          target: target.name,
          command: target.command,
          places:
            cycle.payload === undefined
              ? [noContainer]
              : makeBundles(workFolder, cgroup, profile, cycle.payload, target.name, cycle.lanes),
          wanted: wanted(),
        }));
      }),
  );
}

function sampleOfEntry(entry: Entry): Sample {
  const key = `${entry.profile}|${entry.cycle.name}|${entry.target}`;
  return sampleOf(key, entry.cycle, entry.command, entry.places, entry.wanted);
}

/** Tries an entry once, leaves out the measures that its runtime can't do, and says whether anything remains. */
function tryEntry(entry: Entry, runner: Runner, skipped: Skipped[]): boolean {
  for (;;) {
    const sample = sampleOfEntry(entry);
    const [result] = runner.run([sample], () => `trying ${sample.key}`);
    const failure = result?.failures[0];
    if (failure === undefined) return true;
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
      return false;
    }
    skipped.push({ ...skip, measure: slot });
    entry.wanted.delete(slot);
    if (entry.cycle.optional.every((measure) => !entry.wanted.has(measure))) return false;
  }
}

function measureTimes(
  groups: readonly Entry[][],
  options: Options,
  runner: Runner,
  failures: Skipped[],
): { series: Series[]; otherWork: number | undefined } {
  const rounds = interleave(groups, options.warmup + options.rounds, seededRandom(options.seed));
  const order = rounds.flatMap((round, index) => round.map((entry) => ({ entry, index })));
  const samples = order.map(({ entry }) => sampleOfEntry(entry));
  const from = cpuMoment();
  const results = runner.run(samples, (i) => `round ${(order[i]?.index ?? 0) + 1} of ${rounds.length}`);
  const to = cpuMoment();
  const own = results.map((result) => result.cpuUs);
  const series = new Map<string, Series>();
  for (const entry of groups.flat()) {
    for (const measure of entry.cycle.measures) {
      if (!entry.wanted.has(measure)) continue;
      const { profile, target } = entry;
      series.set(`${profile}|${measure}|${target}`, { profile, measure, target, figures: [] });
    }
  }
  order.forEach(({ entry, index }, i) => {
    const result = results[i];
    if (result === undefined || index < options.warmup) return;
    const { profile, target } = entry;
    const failure = result.failures[0];
    if (failure !== undefined) {
      const reason = `round ${index + 1}: ${failure.text || `status ${failure.status}`}`;
      failures.push({ profile, measure: entry.cycle.name, target, reason });
    }
    for (const [measure, figure] of figuresOf(entry.cycle, samples[i] as Sample, result)) {
      series.get(`${profile}|${measure}|${target}`)?.figures.push(figure);
    }
  });
  return {
    series: [...series.values()].sort(byMeasure(groups.flat())),
    otherWork: own.includes(undefined)
      ? undefined
      : otherWork(
          from,
          to,
          own.reduce((sum: number, us) => sum + (us ?? 0) / 1e6, 0),
        ),
  };
}

/** Order of the report: profiles and measures as listed, targets as named. */
function byMeasure(entries: readonly Entry[]): (a: Series, b: Series) => number {
  const measures = entries.flatMap((e) => e.cycle.measures.map((m) => `${e.profile}|${m}`));
  const targets = entries.map((e) => e.target);
  return (a, b) =>
    measures.indexOf(`${a.profile}|${a.measure}`) - measures.indexOf(`${b.profile}|${b.measure}`) ||
    targets.indexOf(a.target) - targets.indexOf(b.target);
}

function countSyscalls(groups: readonly Entry[][], runner: Runner, skipped: Skipped[]): Results['syscalls'] {
  const strace = findStrace();
  if (strace === undefined) {
    skipped.push({
      profile: '',
      measure: 'system calls',
      target: 'all',
      reason: 'no strace on this machine',
    });
    return [];
  }
  return groups
    .flat()
    .filter((entry) => !entry.cycle.fleet && !entry.cycle.host)
    .flatMap((entry) => {
      const { sample, files } = traced(strace, sampleOfEntry(entry), workFolder);
      const [result] = runner.run([sample], () => `counting system calls: ${sample.key}`);
      const failure = result?.failures[0];
      const { profile, target } = entry;
      if (failure !== undefined) {
        const measure = `system calls of ${entry.cycle.name}`;
        skipped.push({ profile, target, measure, reason: failure.text || `status ${failure.status}` });
        return [];
      }
      return [...files].flatMap(([measure, file]) => {
        const count = awaitSummary(file);
        return count === undefined ? [] : [{ profile, measure, target, ...count }];
      });
    });
}

function measureAllMemory(
  options: Options,
  cgroup: string,
  targets: readonly Target[],
  skipped: Skipped[],
): Results['memory'] {
  return options.profiles.flatMap((profile) =>
    targets.flatMap(({ name, command }) => {
      const [place] = makeBundles(workFolder, cgroup, profile, 'sleep', name, 1);
      try {
        return [
          { profile, target: name, ...measureMemory(workFolder, cgroup, name, command, place as Place, 3) },
        ];
      } catch (error) {
        skipped.push({ profile, target: name, measure: 'memory', reason: (error as Error).message });
        return [];
      }
    }),
  );
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  log(`wrote ${file}`);
}

function bench(options: Options, cgroupName: string): number {
  const cgroup = arrangeWorld(cgroupName);
  makeRootfs(`${workFolder}/rootfs`);
  const runner = makeRunner(workFolder);
  const names = options.runtimes.length > 0 ? options.runtimes : usualTargets;
  const found = names.map((name) => findTarget(name, resolve(benchFolder, '..')));
  const targets = found.filter((t): t is Target => 'command' in t);
  const missing = found.filter((t): t is MissingTarget => !('command' in t));
  for (const { name, reason } of missing) log(`${name}: left out: ${reason}`);

  const skipped: Skipped[] = [];
  const failures: Skipped[] = [];
  const groups = makeEntries(options, cgroup, targets).map((group) =>
    group.filter((entry) => tryEntry(entry, runner, skipped)),
  );
  const times = measureTimes(groups, options, runner, failures);
  const results: Results = {
    format: 1,
    date: new Date().toISOString(),
    rounds: options.rounds,
    warmup: options.warmup,
    seed: options.seed,
    timing: runner.description,
    machine: describeMachine(),
    otherWork: times.otherWork,
    targets: targets.map(({ command: _command, ...target }) => target),
    missing,
    rows: makeRows(times.series, options.seed),
    memory: options.memory ? measureAllMemory(options, cgroup, targets, skipped) : [],
    syscalls: options.syscalls ? countSyscalls(groups, runner, skipped) : [],
    skipped,
    failures,
  };
  process.stdout.write(`\n${formatReport(results)}`);
  if (options.json !== undefined) write(options.json, toJson(results));
  if (options.svg !== undefined) write(options.svg, formatChart(results));
  return failures.length > 0 || results.rows.length === 0 ? 1 : 0;
}

function main(args: readonly string[]): number {
  const options = parseOptions(args, `${benchFolder}/results`);
  if (options.help) {
    process.stdout.write(usage);
    return 0;
  }
  // What is wrong with the options should be said before anything is set up.
  selectCycles(options.only, options.fleets);
  const unknown = options.profiles.find((profile) => profiles[profile] === undefined);
  if (unknown !== undefined) {
    throw new Error(`--profile: no profile "${unknown}"; there are ${Object.keys(profiles).join(', ')}`);
  }
  const cgroup = insideWorld();
  return cgroup === undefined ? runInWorld(script, args) : bench(options, cgroup);
}

try {
  process.exitCode = main(process.argv.slice(2));
} catch (error) {
  log(`bench: ${(error as Error).message}`);
  process.exitCode = 1;
}
