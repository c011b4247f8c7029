/**
 * The bench's command line.
 *
 * @module
 */

import minimist from 'minimist';

/** A fleet: so many containers, so many at a time. */
export interface Fleet {
  containers: number;
  concurrency: number;
}

/** What to measure and how long. */
export interface Options {
  /** Rounds that count. */
  rounds: number;
  /** Rounds before them that don't. */
  warmup: number;
  /** Measures to take (see measures.ts); empty for all. */
  only: string[];
  /** Names of targets, or `name=path[ argument...]`; empty for the usual ones. */
  runtimes: string[];
  /** Profiles of config.json (see profiles.ts). */
  profiles: string[];
  fleets: Fleet[];
  seed: number;
  /** Result files; undefined for none. */
  json: string | undefined;
  svg: string | undefined;
  memory: boolean;
  syscalls: boolean;
  help: boolean;
}

/** Printed by `--help`. */
export const usage = `Usage: npm run bench -- [options]

Times runts, runc and crun side by side in one run, in namespaces of its own. Needs root.

  --rounds N          rounds that count (default 40)
  --warmup N          rounds before them that don't (default 4)
  --quick             5 rounds, 1 of warm-up, no files unless asked for
  --only A,B          measures: true, version, run, create+start+delete, create, start, delete, state, exec, kill
  --runtimes A,B      runts, runts-node, runc, crun or name='path[ argument...]', e.g. old=/usr/bin/runts
                      (default the first four)
  --profile A,B       profiles of config.json: default, bare, seccomp (default: default)
  --fleet NxC,...     also so many containers created, started and deleted, so many at a time, e.g. 100x8
  --seed N            seed of the order and of the intervals (default 1)
  --json FILE         results as JSON (default bench/results/bench.json; --json= for none)
  --svg FILE          chart (default bench/results/bench.svg; --svg= for none)
  --no-memory         don't measure what a created container holds
  --no-syscalls       don't count system calls with strace
  --help              this text
`;

function positiveInteger(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < least) {
    throw new Error(`--${name}: "${text}" is not an integer of at least ${least}`);
  }
  return value;
}

/** minimist gives a list for an option that is repeated. */
function list(values: readonly string[] | string | undefined): string[] {
  return [values ?? []]
    .flat()
    .flatMap((value) => value.split(','))
    .filter((value) => value !== '');
}

function fleet(text: string): Fleet {
  const match = /^(\d+)x(\d+)$/.exec(text);
  if (match === null) throw new Error(`--fleet: "${text}" is not of the form 100x8`);
  return {
    containers: positiveInteger('fleet', match[1] as string, 1),
    concurrency: positiveInteger('fleet', match[2] as string, 1),
  };
}

/**
 * Options of an argument list (without node and script).
 *
 * @param resultsFolder where the result files go by default
 * @throws Error naming the option that is wrong
 */
export function parseOptions(args: readonly string[], resultsFolder: string): Options {
  const unknown: string[] = [];
  const values = minimist([...args], {
    string: ['rounds', 'warmup', 'only', 'runtimes', 'profile', 'fleet', 'seed', 'json', 'svg'],
    // minimist reads --no-memory as memory: false.
    boolean: ['quick', 'memory', 'syscalls', 'help'],
    default: { seed: '1', memory: true, syscalls: true },
    unknown: (name) => {
      unknown.push(name);
      return false;
    },
  });
  if (unknown[0] !== undefined) throw new Error(`unknown option: ${unknown[0]}`);
  const file = (value: string | undefined, name: string): string | undefined => {
    if (value === '') return undefined;
    return value ?? (values.quick ? undefined : `${resultsFolder}/${name}`);
  };
  const profiles = list(values.profile);
  return {
    rounds: positiveInteger('rounds', values.rounds ?? (values.quick ? '5' : '40'), 1),
    warmup: positiveInteger('warmup', values.warmup ?? (values.quick ? '1' : '4'), 0),
    only: list(values.only),
    runtimes: list(values.runtimes),
    profiles: profiles.length > 0 ? profiles : ['default'],
    fleets: list(values.fleet).map(fleet),
    seed: positiveInteger('seed', values.seed, 0),
    json: file(values.json, 'bench.json'),
    svg: file(values.svg, 'bench.svg'),
    memory: values.memory,
    syscalls: values.syscalls,
    help: values.help,
  };
}
