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
import { compareMany, compareOne, configAt, describe, makeSides, nothingToCompare, shrink } from './run.ts';

/** Failures of one runtime that are made small: each takes some seconds. */
const MOST = 5;

/** @returns the exit code */
export async function run(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: 'string' },
      runs: { type: 'string' },
      path: { type: 'string' },
      all: { type: 'boolean' },
    },
  });
  // crun 1.8.1 can't work in a mixture of both kinds of cgroups.
  const { skip } = privateWorld({ cgroups: 'v2', network: true });
  const reason = skip || nothingToCompare();
  if (reason !== false) throw new Error(`side-by-side: ${reason}`);
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  const sides = await makeSides();
  const began = performance.now();
  if (values.path !== undefined) {
    const found = await compareOne(sides, configAt(seed, values.path), values.path);
    for (const one of found) process.stdout.write(`${describe(seed, one)}\n`);
    return found.some(({ unknown }) => unknown.length > 0) ? 1 : 0;
  }
  const found = await compareMany(sides, seed, Number(values.runs ?? 500));
  const seconds = (performance.now() - began) / 1000;
  process.stdout.write(`seed ${seed}, ${seconds.toFixed(1)} s\n`);
  const failures = found.filter(({ unknown }) => unknown.length > 0);
  const count = (what: string): string => `${what} ${found.filter(({ ran }) => ran === what).length}`;
  process.stdout.write(`${['both', 'one', 'none'].map(count).join(', ')}; ${failures.length} differ\n`);
  const lines = new Map<string, string[]>();
  for (const { from, path, unknown } of failures) {
    for (const line of unknown) {
      const key = `${from} ${line}`;
      lines.set(key, [...(lines.get(key) ?? []), path]);
    }
  }
  if (values.all) {
    for (const [line, paths] of [...lines].sort((a, b) => b[1].length - a[1].length)) {
      process.stdout.write(`${paths.length} ${line} @${paths.slice(0, 12)}\n`);
    }
    for (const { from, path, ran, messages } of found) {
      if (ran === 'none')
        process.stdout.write(`none ${path} ${from}: ${messages.map((m) => m.slice(-200)).join(' #### ')}\n`);
    }
    return 1;
  }
  for (const failure of failures.slice(0, MOST)) {
    process.stdout.write(`${describe(seed, await shrink(sides, seed, failure))}\n`);
  }
  return failures.length > 0 ? 1 : 0;
}
