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
  /** More of them, beside those. */
  also: string[];
  /** Profiles of config.json (see profiles.ts). */
  profiles: string[];
  fleets: Fleet[];
  /** Numbers of mounts to run a container with, ascending; empty for none. */
  mounts: number[];
  /** Numbers of other containers on the host to measure beside, ascending; empty for none. */
  others: number[];
  seed: number;
  /** Result files; undefined for none. */
  json: string | undefined;
  svg: string | undefined;
  /** Chart of the growing figures. */
  scalingSvg: string | undefined;
  /** Put the short table into README.md. */
  readme: boolean;
  /** More time for what takes hundreds of commands. */
  full: boolean;
  memory: boolean;
  syscalls: boolean;
  help: boolean;
}

/** Printed by `--help`. */
export const usage = `Usage: npm run bench -- [options]

Times runts, runc and crun side by side in one run, in namespaces of its own. Needs root.

  --quick             5 rounds of one profile, no fleets, no growth, no files unless asked for
  --full              all profiles, all fleets, all growth: about twenty minutes
  --rounds N          rounds that count (default 20, with --full 40); long samples are in fewer of them
  --warmup N          rounds before them that don't (default 3)
  --only A,B          measures: true, version, run, create+start+delete, create, start, delete, state, exec, kill, list
  --runtimes A,B      runts, runts-node, runc, crun, floor or name='path[ argument...]', e.g. old=/usr/bin/runts
                      (default all five)
  --also A,B          more of them, beside those, e.g. --also old=/usr/bin/runts
  --profile A,B       profiles of config.json: default, docker, bare, seccomp (default: default,docker)
  --fleet NxC,...     also so many containers created, started and deleted, so many at a time
                      (default 10x1,100x8; with --full 1, 10, 100 and 500, 1 and 8 at a time; --fleet= for none)
  --mounts N,...      also runs with so many mounts (default 1,100; with --full 1,10,100,1000; --mounts= for none)
  --others N,...      also with so many of the runtime's containers on the host
                      (default 1,100; with --full 1,10,100,500; --others= for none)
  --seed N            seed of the order and of the intervals (default 1)
  --json FILE         results as JSON (default bench/results/bench.json; --json= for none)
  --svg FILE          chart (default bench/results/bench.svg; --svg= for none)
  --scaling-svg FILE  chart of what grows (default bench/results/scaling.svg; --scaling-svg= for none)
  --readme            put the short table into README.md
  --no-memory         don't measure what a created container holds
  --no-syscalls       don't count system calls with strace
  --help              this text
`;

/** What is measured unless asked otherwise, by how thorough. */
const extents = {
  quick: { rounds: '5', warmup: '1', profile: 'default', fleet: '', mounts: '', others: '' },
  usual: {
    rounds: '20',
    warmup: '3',
    profile: 'default,docker',
    fleet: '10x1,100x8',
    mounts: '1,100',
    others: '1,100',
  },
  full: {
    rounds: '40',
    warmup: '3',
    profile: 'default,docker,bare,seccomp',
    fleet: '1x1,10x1,100x1,500x1,10x8,100x8,500x8',
    mounts: '1,10,100,1000',
    others: '1,10,100,500',
  },
} as const;

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

/** Numbers, ascending. */
function numbers(name: string, values: readonly string[] | string | undefined): number[] {
  return list(values)
    .map((text) => positiveInteger(name, text, 1))
    .sort((a, b) => a - b);
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
    string: [
      ...['rounds', 'warmup', 'only', 'runtimes', 'also', 'profile', 'fleet', 'mounts', 'others'],
      ...['seed', 'json', 'svg', 'scaling-svg'],
    ],
    // minimist reads --no-memory as memory: false.
    boolean: ['quick', 'full', 'readme', 'memory', 'syscalls', 'help'],
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
  if (values.quick && values.full) throw new Error('--quick and --full exclude each other');
  if (values.readme && (values.json === '' || (values.quick && values.json === undefined))) {
    throw new Error('--readme: the table is of the results in the repository: leave --json as it is');
  }
  const extent = extents[values.quick ? 'quick' : values.full ? 'full' : 'usual'];
  return {
    rounds: positiveInteger('rounds', values.rounds ?? extent.rounds, 1),
    warmup: positiveInteger('warmup', values.warmup ?? extent.warmup, 0),
    only: list(values.only),
    runtimes: list(values.runtimes),
    also: list(values.also),
    profiles: list(values.profile ?? extent.profile),
    fleets: list(values.fleet ?? extent.fleet).map(fleet),
    mounts: numbers('mounts', values.mounts ?? extent.mounts),
    others: numbers('others', values.others ?? extent.others),
    seed: positiveInteger('seed', values.seed, 0),
    json: file(values.json, 'bench.json'),
    svg: file(values.svg, 'bench.svg'),
    scalingSvg: file(values['scaling-svg'], 'scaling.svg'),
    readme: values.readme,
    full: values.full,
    memory: values.memory,
    syscalls: values.syscalls,
    help: values.help,
  };
}
