/**
 * `npm run bench`: runts, runc and crun side by side in one run. See README.md beside this file.
 *
 * @module
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeBundles, makeMounted, makeRootfs, type Surroundings } from './bundle.ts';
import { formatChart } from './chart.ts';
import { type Entry, makeEntries, sampleOfEntry, tryEntry } from './entries.ts';
import { FLOOR, findFloor } from './floor.ts';
import { cpuMoment, describeMachine } from './machine.ts';
import { figuresOf, type Place, selectCycles } from './measures.ts';
import { measureMemory } from './memory.ts';
import { type Options, parseOptions, usage } from './options.ts';
import { addOthers, removeOthers } from './others.ts';
import { type Group, interleave } from './plan.ts';
import { findProfile, growthName, growthOf, LIMITED } from './profiles.ts';
import { seededRandom } from './random.ts';
import { shortTable, withSection } from './readme.ts';
import { formatReport } from './report.ts';
import { makeRows, type Results, type Series, type Skipped, toJson } from './results.ts';
import { makeRunner, type Runner } from './runner.ts';
import { formatScaling } from './scaling.ts';
import { awaitSummary, findStrace, traced } from './strace.ts';
import { findTarget, type MissingTarget, type Target, usualTargets } from './targets.ts';
import { arrangeWorld, insideWorld, runInWorld, workFolder } from './world.ts';

const script = fileURLToPath(import.meta.url);
const benchFolder = dirname(script);
const project = resolve(benchFolder, '..');

/** For what takes hundreds of commands: so much time, but at least so many rounds. */
const LONG = { usualMs: 5_000, fullMs: 30_000, leastRounds: 3 };

function log(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** What has been found out so far. */
interface Findings {
  series: Series[];
  skipped: Skipped[];
  failures: Skipped[];
  /** Processor seconds and seconds on the clock while times were taken; `own` is undefined when it is not known. */
  busy: number;
  elapsed: number;
  own: number | undefined;
}

/** Tries every entry, leaves out what fails, and decides in how many rounds the long ones are. */
function tried(
  groups: readonly Entry[][],
  options: Options,
  runner: Runner,
  skipped: Skipped[],
): Group<Entry>[] {
  return groups.map((group) => {
    const first = group[0];
    let ms = 0;
    const entries = group.filter((entry) => {
      const took = tryEntry(entry, runner, skipped);
      ms += took ?? 0;
      return took !== undefined;
    });
    if (first?.cycle.fleet !== true && growthOf(first?.profile ?? '') === undefined) return { entries };
    const fitting = Math.floor((options.full ? LONG.fullMs : LONG.usualMs) / ms);
    return { entries, rounds: Math.min(options.rounds, Math.max(LONG.leastRounds, fitting)) };
  });
}

function measureTimes(
  groups: readonly Group<Entry>[],
  options: Options,
  runner: Runner,
  findings: Findings,
): void {
  const random = seededRandom(options.seed);
  const warmup = interleave(
    groups.filter((group) => group.rounds === undefined),
    options.warmup,
    random,
  );
  const rounds = [...warmup, ...interleave(groups, options.rounds, random)];
  const order = rounds.flatMap((round, index) => round.map((entry) => ({ entry, index })));
  const samples = order.map(({ entry }) => sampleOfEntry(entry));
  const from = cpuMoment();
  const results = runner.run(samples, (i) => `round ${(order[i]?.index ?? 0) + 1} of ${rounds.length}`);
  const to = cpuMoment();
  findings.busy += to.busy - from.busy;
  findings.elapsed += to.at - from.at;
  for (const { cpuUs } of results) {
    findings.own = cpuUs === undefined || findings.own === undefined ? undefined : findings.own + cpuUs / 1e6;
  }
  const entries = groups.flatMap((group) => group.entries);
  const series = new Map<string, Series>();
  for (const entry of entries) {
    for (const measure of entry.cycle.measures) {
      if (!entry.wanted.has(measure)) continue;
      const { profile, target } = entry;
      series.set(`${profile}|${measure}|${target}`, { profile, measure, target, figures: [] });
    }
  }
  order.forEach(({ entry, index }, i) => {
    const result = results[i];
    if (result === undefined || index < warmup.length) return;
    const { profile, target } = entry;
    const failure = result.failures[0];
    if (failure !== undefined) {
      const reason = `round ${index + 1}: ${failure.text || `status ${failure.status}`}`;
      findings.failures.push({ profile, measure: entry.cycle.name, target, reason });
    }
    for (const [measure, figure] of figuresOf(entry.cycle, samples[i] as (typeof samples)[number], result)) {
      series.get(`${profile}|${measure}|${target}`)?.figures.push(figure);
    }
  });
  findings.series.push(...[...series.values()].sort(byMeasure(entries)));
}

/** Everything that has no other containers beside it. @returns what can be traced as well */
async function measureAlone(
  options: Options,
  surroundings: Surroundings,
  targets: readonly Target[],
  runner: Runner,
  findings: Findings,
): Promise<Entry[]> {
  const growing = options.mounts.map((count) => growthName({ what: 'mounts', count }));
  const made = await makeEntries([...options.profiles, ...growing], options, surroundings, targets);
  const groups = tried(made, options, runner, findings.skipped);
  measureTimes(groups, options, runner, findings);
  return groups.flatMap((group) => (group.rounds === undefined ? group.entries : []));
}

async function measureBesideOthers(
  options: Options,
  surroundings: Surroundings,
  targets: readonly Target[],
  runner: Runner,
  findings: Findings,
): Promise<void> {
  let present = 0;
  let able = targets.filter((target) => target.floor !== true);
  try {
    for (const count of options.others) {
      if (count >= 100) able = able.filter((target) => target.slow !== true);
      addOthers(surroundings, able, runner, present, count);
      present = count;
      const made = await makeEntries([growthName({ what: 'others', count })], options, surroundings, able);
      measureTimes(tried(made, options, runner, findings.skipped), options, runner, findings);
    }
  } finally {
    removeOthers(surroundings, targets);
  }
}

/** Order of the report: profiles and measures as listed, targets as named. */
function byMeasure(entries: readonly Entry[]): (a: Series, b: Series) => number {
  const measures = entries.flatMap((e) => e.cycle.measures.map((m) => `${e.profile}|${m}`));
  const targets = entries.map((e) => e.target);
  return (a, b) =>
    measures.indexOf(`${a.profile}|${a.measure}`) - measures.indexOf(`${b.profile}|${b.measure}`) ||
    targets.indexOf(a.target) - targets.indexOf(b.target);
}

function countSyscalls(entries: readonly Entry[], runner: Runner, skipped: Skipped[]): Results['syscalls'] {
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
  return entries
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
  surroundings: Surroundings,
  targets: readonly Target[],
  skipped: Skipped[],
): Results['memory'] {
  const { cgroup } = surroundings;
  const reasons = new Set<string>();
  const rows = options.profiles.flatMap((profile) =>
    targets.flatMap(({ name, command, floor }) => {
      if (floor) return [];
      const [place] = makeBundles(surroundings, profile, 'sleep', name, 1);
      try {
        const { uncharged, ...figures } = measureMemory(
          ...([workFolder, cgroup, name, command, place as Place, 3] as const),
        );
        if (uncharged !== undefined) reasons.add(uncharged);
        return [{ profile, target: name, ...figures }];
      } catch (error) {
        skipped.push({ profile, target: name, measure: 'memory', reason: (error as Error).message });
        return [];
      }
    }),
  );
  for (const reason of reasons) {
    skipped.push({ profile: '', target: 'all', measure: 'memory charged to the cgroup', reason });
  }
  return rows;
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  log(`wrote ${file}`);
}

/** The targets that are here; the reasons of the others. */
function findTargets(options: Options): { targets: Target[]; missing: MissingTarget[] } {
  const names = [...(options.runtimes.length > 0 ? options.runtimes : usualTargets), ...options.also];
  const found = names.map((name) =>
    name === FLOOR ? findFloor(workFolder, project) : findTarget(name, project),
  );
  const missing = found.filter((t): t is MissingTarget => !('command' in t));
  for (const { name, reason } of missing) log(`${name}: left out: ${reason}`);
  return { targets: found.filter((t): t is Target => 'command' in t), missing };
}

async function bench(options: Options, cgroupName: string): Promise<number> {
  const { cgroup, controllers } = arrangeWorld(
    cgroupName,
    options.profiles.includes('docker') ? LIMITED : [],
  );
  makeRootfs(`${workFolder}/rootfs`);
  makeMounted(workFolder, Math.max(30, ...options.mounts));
  const surroundings = { workFolder, cgroup, controllers, executor: `${project}/dist/executor` };
  const lanes = Math.max(1, ...options.others, ...options.fleets.map((fleet) => fleet.containers));
  const runner = makeRunner(workFolder, { timeoutMs: 20_000 + lanes * 1_000 });
  const { targets, missing } = findTargets(options);

  const findings: Findings = { series: [], skipped: [], failures: [], busy: 0, elapsed: 0, own: 0 };
  const { skipped, failures } = findings;
  const lacking = LIMITED.filter((name) => !controllers.has(name));
  if (options.profiles.includes('docker') && lacking.length > 0) {
    const reason = 'the cgroup v2 hierarchy here has no such controller';
    skipped.push({ profile: 'docker', target: 'all', measure: `limits of ${lacking.join(', ')}`, reason });
  }
  const alone = await measureAlone(options, surroundings, targets, runner, findings);
  await measureBesideOthers(options, surroundings, targets, runner, findings);
  const { busy, elapsed, own, series } = findings;
  const results: Results = {
    format: 1,
    date: new Date().toISOString(),
    rounds: options.rounds,
    warmup: options.warmup,
    seed: options.seed,
    timing: runner.description,
    machine: describeMachine(),
    otherWork: own === undefined ? undefined : Math.max(0, (busy - own) / elapsed),
    targets: targets.map(({ command: _command, ...target }) => target),
    missing,
    rows: makeRows(series, options.seed),
    memory: options.memory ? measureAllMemory(options, surroundings, targets, skipped) : [],
    syscalls: options.syscalls ? countSyscalls(alone, runner, skipped) : [],
    skipped,
    failures,
  };
  process.stdout.write(`\n${formatReport(results)}`);
  if (options.json !== undefined) write(options.json, toJson(results));
  if (options.svg !== undefined) write(options.svg, formatChart(results));
  const scaling = formatScaling(results);
  if (options.scalingSvg !== undefined && scaling !== undefined) write(options.scalingSvg, scaling);
  if (options.readme) {
    // Of the figures as they are in the file, so that a test can compare the two.
    const table = shortTable(JSON.parse(toJson(results)) as Results);
    write(`${project}/README.md`, withSection(readFileSync(`${project}/README.md`, 'utf8'), table));
  }
  return failures.length > 0 || results.rows.length === 0 ? 1 : 0;
}

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args, `${benchFolder}/results`);
  if (options.help) {
    process.stdout.write(usage);
    return 0;
  }
  // What is wrong with the options should be said before anything is set up.
  selectCycles(options.only, options.fleets);
  for (const profile of options.profiles) findProfile(profile);
  const cgroup = insideWorld();
  return cgroup === undefined ? runInWorld(script, args) : await bench(options, cgroup);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  log(`bench: ${(error as Error).message}`);
  process.exitCode = 1;
}
