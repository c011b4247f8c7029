/**
 * `npm run conformance -- side-by-side [--seed S] [--runs N] [--path P]`
 *
 * Random configs under runts, runc and crun: what their containers see of themselves is compared line by line. Fails on
 * a difference that known.ts doesn't explain, and prints a small config that shows it. `--path` looks at one config.
 *
 * @module
 */
import { parseArgs } from 'node:util';
import { privateWorld } from '../../test/harness/index.ts';
import { writePart } from '../results.ts';
import { failuresOf, partOf, summary } from './report.ts';
import { compareMany, compareOne, configAt, describe, makeSides, nothingToCompare, shrink } from './run.ts';

/** So many failures are made small: each takes some seconds. */
const MOST = 5;

/** Configs of a run whose results are worth keeping. */
const ENOUGH = 500;

function number(text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`side-by-side: no such number: ${text}`);
  return value;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** @returns the exit code */
export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: { seed: { type: 'string' }, runs: { type: 'string' }, path: { type: 'string' } },
  });
  const seed = number(values.seed, Math.floor(Math.random() * 2 ** 31));
  const runs = number(values.runs, ENOUGH);
  // crun 1.8.1 can't work in a mixture of both kinds of cgroups.
  const { skip } = privateWorld({ cgroups: 'v2', network: true });
  const reason = skip || nothingToCompare();
  if (reason !== false) throw new Error(`side-by-side: ${reason}`);
  const sides = await makeSides();
  if (values.path !== undefined) {
    const found = await compareOne(sides, configAt(seed, values.path), values.path);
    for (const one of found) print(describe(seed, one));
    return failuresOf(found).length > 0 ? 1 : 0;
  }
  print(`seed ${seed}, ${runs} configs`);
  const found = await compareMany(sides, seed, runs);
  const failures = failuresOf(found);
  for (const failure of failures.slice(0, MOST)) print(describe(seed, await shrink(sides, seed, failure)));
  for (const { from, path, unknown } of failures.slice(MOST)) {
    print(`also from ${from}: --seed ${seed} --path ${path}: ${unknown[0]}`);
  }
  for (const { runtime } of sides.others) print(summary(found, runtime.name));
  if (runs >= ENOUGH) writePart(partOf(seed, sides, found));
  return failures.length > 0 ? 1 : 0;
}
