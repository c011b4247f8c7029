/**
 * What is measured: cycles that bring containers up and down, and the figures taken from their steps. Pure.
 *
 * @module
 */

import type { Fleet } from './options.ts';
import type { Lane, Sample, SampleResult, Step } from './plan.ts';

/** Where one container lives while it is measured. */
export interface Place {
  id: string;
  bundle: string;
  /** The runtime's `--root`. */
  stateRoot: string;
  pidFile: string;
}

/** What a container of a cycle executes: `true` ends at once, `sleep` stays. */
export type Payload = 'true' | 'sleep';

/** A sequence of commands that yields one or more measures. */
export interface Cycle {
  name: string;
  measures: readonly string[];
  /** The measure that is the whole sample's, from its first step to its last; the others are steps' slots. */
  total?: string;
  /** Measures that a runtime may lack: the rest of the cycle still works. */
  optional: readonly string[];
  /** The container's command; none for a cycle without containers. */
  payload?: Payload;
  lanes: number;
  concurrency: number;
  /** Measured on the machine instead of a runtime: the floor. */
  host?: boolean;
  /** Asked for by `--fleet`: always wanted, and not for counting system calls. */
  fleet?: boolean;
  /** Steps of one lane; slots that are not in `wanted` and are optional are left out. */
  steps(lines: CommandLines, wanted: ReadonlySet<string>): Step[];
}

/** What a target is called with for one container. */
export type CommandLines = Readonly<Record<Command, readonly string[]>>;

type Command =
  | 'run'
  | 'create'
  | 'start'
  | 'state'
  | 'list'
  | 'exec'
  | 'kill'
  | 'delete'
  | 'forceDelete'
  | 'version';

function step(kind: Step['kind'], argv: readonly string[], slot?: string): Step {
  return slot === undefined ? { kind, argv } : { kind, argv, slot };
}

/** Command lines of a runtime for one container; all runtimes have runc's. */
export function commandLines(
  command: readonly string[],
  { id, bundle, stateRoot, pidFile }: Place,
): CommandLines {
  const prefix = [...command, '--root', stateRoot];
  return {
    version: [...command, '--version'],
    run: [...prefix, 'run', '--bundle', bundle, id],
    create: [...prefix, 'create', '--bundle', bundle, '--pid-file', pidFile, id],
    start: [...prefix, 'start', id],
    state: [...prefix, 'state', id],
    list: [...prefix, 'list'],
    exec: [...prefix, 'exec', id, 'true'],
    kill: [...prefix, 'kill', id, 'KILL'],
    delete: [...prefix, 'delete', id],
    forceDelete: [...prefix, 'delete', '--force', id],
  };
}

/** Those of a program that does nothing but one whole run, which leaves nothing behind. */
export function runOnly(command: readonly string[]): CommandLines {
  const nothing = ['/bin/true'];
  return {
    ...{ version: nothing, create: nothing, start: nothing, state: nothing, list: nothing, exec: nothing },
    ...{ kill: nothing, delete: nothing, forceDelete: nothing },
    run: command,
  };
}

function lifecycleSteps(lines: CommandLines, slots: boolean): Step[] {
  const slot = (name: string): string | undefined => (slots ? name : undefined);
  return [
    step('run', lines.create, slot('create')),
    step('run', lines.start, slot('start')),
    step('wait', []),
    step('run', lines.delete, slot('delete')),
    step('clean', lines.forceDelete),
  ];
}

const single = { optional: [], lanes: 1, concurrency: 1 } as const;

const cycles: readonly Cycle[] = [
  {
    ...single,
    name: 'true',
    measures: ['true'],
    host: true,
    steps: (lines) => [step('run', lines.run, 'true')],
  },
  {
    ...single,
    name: 'version',
    measures: ['version'],
    steps: (lines) => [step('run', lines.version, 'version')],
  },
  {
    ...single,
    name: 'run',
    measures: ['run'],
    payload: 'true',
    steps: (lines) => [step('run', lines.run, 'run'), step('clean', lines.forceDelete)],
  },
  {
    ...single,
    name: 'lifecycle',
    measures: ['create+start+delete', 'create', 'start', 'delete'],
    total: 'create+start+delete',
    payload: 'true',
    steps: (lines) => lifecycleSteps(lines, true),
  },
  {
    ...single,
    name: 'running',
    measures: ['state', 'list', 'exec', 'kill'],
    optional: ['state', 'list', 'exec', 'kill'],
    payload: 'sleep',
    steps(lines, wanted) {
      const end = wanted.has('kill')
        ? [step('run', lines.kill, 'kill'), step('wait', []), step('run', lines.delete)]
        : [step('run', lines.forceDelete)];
      return [
        step('run', lines.create),
        step('run', lines.start),
        ...(wanted.has('state') ? [step('run', lines.state, 'state')] : []),
        ...(wanted.has('list') ? [step('run', lines.list, 'list')] : []),
        ...(wanted.has('exec') ? [step('run', lines.exec, 'exec')] : []),
        ...end,
        step('clean', lines.forceDelete),
      ];
    },
  },
];

function fleetCycle({ containers, concurrency }: Fleet): Cycle {
  const name = `${containers} containers, ${concurrency} at a time`;
  return {
    name,
    measures: [name],
    total: name,
    optional: [],
    payload: 'true',
    lanes: containers,
    concurrency,
    fleet: true,
    steps: (lines) => lifecycleSteps(lines, false),
  };
}

/**
 * The cycles to run.
 *
 * @param only measures to keep; empty for all
 * @throws Error when a measure is unknown
 */
export function selectCycles(only: readonly string[], fleets: readonly Fleet[]): Cycle[] {
  const all = [...cycles, ...fleets.map(fleetCycle)];
  const known = new Set(all.flatMap((cycle) => cycle.measures));
  const unknown = only.find((measure) => !known.has(measure));
  if (unknown !== undefined) {
    throw new Error(`--only: no measure "${unknown}"; there are ${[...known].join(', ')}`);
  }
  return all.filter((cycle) => wantedMeasures(cycle, only).size > 0);
}

/** Measures of a cycle that `--only` leaves. */
export function wantedMeasures(cycle: Cycle, only: readonly string[]): Set<string> {
  const all = cycle.fleet || only.length === 0;
  return new Set(cycle.measures.filter((measure) => all || only.includes(measure)));
}

/** The sample of a cycle for one target. */
export function sampleOf(
  key: string,
  cycle: Cycle,
  lines: (place: Place) => CommandLines,
  places: readonly Place[],
  wanted: ReadonlySet<string>,
): Sample {
  const lanes = places.slice(0, cycle.lanes).map(
    (place): Lane => ({
      ...(cycle.payload === undefined ? {} : { pidFile: place.pidFile }),
      steps: cycle.steps(lines(place), wanted),
    }),
  );
  return { key, lanes, concurrency: cycle.concurrency };
}

/** One figure of one sample. */
export interface Figure {
  wallNs: number;
  cpuUs: number | undefined;
  maxRssKB: number | undefined;
}

/**
 * The figures of a sample, by measure; none when a step failed.
 *
 * A figure of a whole sample counts the processor time of everything that it started, the container's own too; that
 * of one command counts the command and what it waited for.
 */
export function figuresOf(cycle: Cycle, sample: Sample, result: SampleResult): Map<string, Figure> {
  const figures = new Map<string, Figure>();
  if (result.failures.length > 0) return figures;
  for (const measure of cycle.measures) {
    if (measure === cycle.total) {
      const peaks = result.steps.map((s) => s.maxRssKB).filter((peak) => peak !== undefined);
      figures.set(measure, {
        wallNs: result.wallNs,
        cpuUs: result.cpuUs,
        maxRssKB: peaks.length > 0 ? Math.max(...peaks) : undefined,
      });
      continue;
    }
    const found = result.steps.find((s) => sample.lanes[s.lane]?.steps[s.step]?.slot === measure);
    if (found === undefined) continue;
    figures.set(measure, {
      wallNs: found.wallNs,
      cpuUs: found.maxRssKB === undefined ? undefined : found.userUs + found.sysUs,
      maxRssKB: found.maxRssKB,
    });
  }
  return figures;
}
