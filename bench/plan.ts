/**
 * What is to be measured, as data: samples made of lanes made of steps. Encoded for spawn.c, whose results are
 * decoded here. Pure.
 *
 * @module
 */

import { type Random, shuffled } from './random.ts';

/**
 * One step of a lane: `run` a command, `wait` for the process in the lane's pid file to be gone, or `clean` up with a
 * command that is run only when an earlier step failed.
 */
export interface Step {
  kind: 'run' | 'wait' | 'clean';
  /** The figure that this step's time belongs to, e.g. `state`; none for preparation. */
  slot?: string;
  /** Absolute path of the program, then its arguments; empty for `wait`. */
  argv: readonly string[];
}

/** Steps for one container, one after another. */
export interface Lane {
  /** Absolute path of the pid file that the runtime writes; removed before the sample. */
  pidFile?: string;
  steps: readonly Step[];
}

/** One measurement: its lanes, of which `concurrency` run at a time. */
export interface Sample {
  /** What it is a sample of; samples with one key are summarised together. */
  key: string;
  lanes: readonly Lane[];
  concurrency: number;
}

/** Result of one step. Times of a command include those of the children that it waited for. */
export interface StepResult {
  lane: number;
  step: number;
  /** From before the spawn to after the wait. */
  wallNs: number;
  userUs: number;
  sysUs: number;
  /** Resident memory at its peak, of the largest process; unknown without the helper. */
  maxRssKB: number | undefined;
  /** Exit code, 128 + signal, 127 for a command that can't be run, -1 for a timeout. */
  status: number;
}

/** The first failure of a lane. */
export interface StepFailure {
  lane: number;
  step: number;
  status: number;
  /** The head of the command's standard error, on one line. */
  text: string;
}

/** Result of one sample. */
export interface SampleResult {
  /** From the first step's begin to the last step's end. */
  wallNs: number;
  /** Processor time of every process reaped: commands and containers; unknown without the helper. */
  cpuUs: number | undefined;
  steps: StepResult[];
  failures: StepFailure[];
}

/** Entries that are compared, and how many of the rounds they are in. */
export interface Group<T> {
  entries: readonly T[];
  /** All rounds when absent. */
  rounds?: number;
}

/**
 * The order of a run: every round takes each group once, but for groups of fewer rounds, which are spread evenly; inside a
 * group the entries' order is drawn anew each round, so that what is compared (the entries of a group) is measured side by
 * side and none always comes first.
 */
export function interleave<T>(groups: readonly Group<T>[], rounds: number, random: Random): T[][] {
  return Array.from({ length: rounds }, (_, round) =>
    groups.flatMap(({ entries, rounds: own = rounds }) => {
      const due = Math.floor(((round + 1) * own) / rounds) > Math.floor((round * own) / rounds);
      return due ? shuffled(entries, random) : [];
    }),
  );
}

const kinds = { run: 'r', wait: 'w', clean: 'c' } as const;

/** The plan's tokens for spawn.c, one list a sample; `progress` is shown on a terminal before it. */
export function encodePlan(
  samples: readonly Sample[],
  progress: (index: number) => string | undefined,
): string {
  const tokens: (string | number)[] = [];
  samples.forEach((sample, index) => {
    const text = progress(index);
    if (text !== undefined) tokens.push('P', text);
    tokens.push('S', sample.concurrency, sample.lanes.length);
    for (const lane of sample.lanes) {
      tokens.push('L', lane.pidFile ?? '', lane.steps.length);
      for (const step of lane.steps) {
        tokens.push(kinds[step.kind]);
        if (step.kind !== 'wait') tokens.push(step.argv.length, ...step.argv);
      }
    }
  });
  return tokens.map((token) => `${token}\0`).join('');
}

/**
 * Results of spawn.c, by sample.
 *
 * @param count number of samples in the plan
 * @throws Error when a line is unknown or a sample has no result
 */
export function decodeResults(text: string, count: number): SampleResult[] {
  const samples = Array.from({ length: count }, (): SampleResult & { done: boolean } => ({
    wallNs: 0,
    cpuUs: undefined,
    steps: [],
    failures: [],
    done: false,
  }));
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const fields = line.split(' ');
    const at = (i: number): number => Number(fields[i]);
    const sample = samples[at(1)];
    if (sample === undefined) throw new Error(`result of an unknown sample: ${line}`);
    if (fields[0] === 'R') {
      sample.steps.push({
        lane: at(2),
        step: at(3),
        wallNs: at(4),
        userUs: at(5),
        sysUs: at(6),
        maxRssKB: at(7),
        status: at(12),
      });
    } else if (fields[0] === 'T') {
      sample.wallNs = at(2);
      sample.cpuUs = at(3) + at(4);
      sample.done = true;
    } else if (fields[0] === 'E') {
      const message = fields.slice(5).join(' ').trim();
      sample.failures.push({ lane: at(2), step: at(3), status: at(4), text: message });
    } else {
      throw new Error(`unknown result: ${line}`);
    }
  }
  const missing = samples.findIndex((sample) => !sample.done);
  if (missing >= 0) throw new Error(`sample ${missing} of ${count} has no result`);
  return samples.map(({ done: _done, ...sample }) => sample);
}
