/**
 * Runs random configs on every side, compares, and makes what fails small.
 *
 * @module
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import type { TestSpec } from '../../test/harness/config.ts';
import { findCommand } from '../../test/harness/requirements.ts';
import { temporaryFolder } from '../../test/harness/temporary.ts';
import { differencesOf, judge, type Verdict } from './compare.ts';
import { CONFIG } from './generate.ts';
import { KNOWN } from './known.ts';
import { PROBE } from './probe.ts';
import { makeSide, type Outcome, type Side } from './side.ts';

const project = join(import.meta.dirname, '../..');

/** Those that runts is compared with. */
export const OTHERS = ['runc', 'crun'] as const;

/** How one config compares with one runtime. */
export interface Comparison extends Verdict {
  /** Of the other runtime. */
  readonly from: string;
  /** Number of the config, or its path in the tree of configs. */
  readonly path: string;
  readonly spec: TestSpec;
  /** Whether the container came up: under both, one or none. */
  readonly ran: 'both' | 'one' | 'none';
  /** What runts and the other said, when the container did not come up. */
  readonly messages: readonly [runts: string, other: string];
}

/** The runtimes at work. */
export interface Sides {
  readonly runts: Side;
  readonly others: readonly Side[];
}

/** Namespaces that configs of a side join by path; they are there until this process ends. */
async function pinNamespaces(): Promise<string> {
  const pins = join(temporaryFolder(), 'namespaces');
  mkdirSync(pins);
  const types = { network: '--net', uts: '--uts', ipc: '--ipc' };
  for (const name of Object.keys(types)) writeFileSync(join(pins, name), '');
  const flags = Object.entries(types).map(([name, flag]) => `${flag}=${join(pins, name)}`);
  const setup = ['mount', '--bind', pins, pins, '--make-private'];
  for (const [file, ...args] of [setup, ['unshare', ...flags, 'true']]) {
    const { status, stderr } = spawnSync(file!, args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${file} ${args.join(' ')}: ${stderr}`);
  }
  // A pid namespace is there as long as its first process, which ends with this one: its input does. What a container
  // leaves to it when it is killed is for the shell to wait for, beside cat: not a zombie for ever.
  const script = 'read -r pid rest </proc/self/stat; echo $pid; cat; exit';
  const keeper = spawn('unshare', ['--pid', '--fork', 'sh', '-c', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [pid] = (await once(keeper.stdout, 'data')) as [Uint8Array];
  symlinkSync(`/proc/${new TextDecoder().decode(pid).trim()}/ns/pid`, join(pins, 'pid'));
  keeper.unref();
  for (const stream of [keeper.stdin, keeper.stdout]) (stream as Socket).unref();
  return pins;
}

/** Why there is nothing to compare; false when there is. */
export function nothingToCompare(): string | false {
  return OTHERS.some((name) => findCommand(name) !== undefined) ? false : `needs ${OTHERS.join(' or ')}`;
}

/** What is here, in a private world. */
export async function makeSides(): Promise<Sides> {
  const side = async (name: string, path: string): Promise<Side> =>
    makeSide({ name, command: [path] }, await pinNamespaces());
  const runts = await side('runts', join(project, 'dist/runts'));
  const others: Side[] = [];
  for (const name of OTHERS) {
    const path = findCommand(name);
    if (path !== undefined) others.push(await side(name, path));
  }
  return { runts, others };
}

function comparison(side: Side, path: string, spec: TestSpec, runts: Outcome, other: Outcome): Comparison {
  const from = side.runtime.name;
  const ran = runts.ran && other.ran ? 'both' : runts.ran || other.ran ? 'one' : 'none';
  const messages = [runts.ran ? '' : runts.message, other.ran ? '' : other.message] as const;
  return { from, path, spec, ran, messages, ...judge(from, KNOWN, spec, differencesOf(runts, other)) };
}

/** One config on every side. */
export async function compareOne(sides: Sides, spec: TestSpec, path: string): Promise<Comparison[]> {
  const [runts, ...others] = await Promise.all([sides.runts, ...sides.others].map((side) => side.try(spec)));
  return sides.others.map((side, i) => comparison(side, path, spec, runts!, others[i]!));
}

/** Configs of a seed. Each side goes through them by itself: none waits for another. */
export async function compareMany(sides: Sides, seed: number, runs: number): Promise<Comparison[]> {
  const specs = fc.sample(CONFIG, { seed, numRuns: runs });
  const all = async (side: Side): Promise<Outcome[]> => {
    const outcomes: Outcome[] = [];
    for (const spec of specs) outcomes.push(await side.try(spec));
    return outcomes;
  };
  const [runts, ...others] = await Promise.all([sides.runts, ...sides.others].map(all));
  return specs.flatMap((spec, i) =>
    sides.others.map((side, j) => comparison(side, String(i), spec, runts![i]!, others[j]![i]!)),
  );
}

/** The config at a path of a seed's tree, as messages print it. */
export function configAt(seed: number, path: string): TestSpec {
  return fc.sample(CONFIG, { seed, path, numRuns: 1 })[0]!;
}

/** The smallest config found that fails as well against the same runtime. */
export async function shrink(sides: Sides, seed: number, failure: Comparison): Promise<Comparison> {
  let smallest = failure;
  const here: Sides = {
    ...sides,
    others: sides.others.filter(({ runtime }) => runtime.name === failure.from),
  };
  const property = fc.asyncProperty(CONFIG, async (spec) => {
    const [found] = await compareOne(here, spec, '');
    if (found!.unknown.length === 0) return;
    smallest = found!;
    throw new Error('differs');
  });
  const { counterexamplePath } = await fc.check(property, { seed, path: failure.path, numRuns: 1 });
  return { ...smallest, path: counterexamplePath ?? failure.path };
}

/** A failure in words, with what repeats it. */
export function describe(seed: number, { from, path, spec, unknown }: Comparison): string {
  return [
    `runts and ${from} differ; again: npm run conformance -- side-by-side --seed ${seed} --path ${path}`,
    ...unknown.map((line) => `    ${line.replaceAll('other|', `${from}|`)}`),
    `    config: ${JSON.stringify(withoutProbe(spec))}`,
  ].join('\n');
}

/** Without the probe's text. */
function withoutProbe(spec: TestSpec): TestSpec {
  const args = spec.process.args.map((text) => (text === PROBE ? 'PROBE' : text));
  return { ...spec, process: { ...spec.process, args } };
}
