/**
 * The checks as a program, to be compiled with Bun: prints one line of JSON for each. With `--costs`, what the
 * first calls cost, in microseconds.
 *
 * @module
 */

import { installDirectory, isCompiled } from '../engine.ts';
import { planDescriptors } from '../spawn.ts';
import { CHECKS } from './checks.ts';
import { measureCosts } from './costs.ts';

/** One line of the program's output. */
export interface CheckResult {
  name: string;
  error?: string;
}

async function main(): Promise<void> {
  const options = process.argv.slice(2);
  // As on a system where Bun's own FFI doesn't work.
  if (options[0] === '--koffi') {
    options.shift();
    const { Bun } = globalThis as { Bun?: object };
    if (Bun !== undefined) Object.defineProperty(Bun, 'FFI', { value: undefined });
  }
  const [option] = options;
  if (option === '--where')
    console.log(JSON.stringify({ compiled: isCompiled(), directory: installDirectory() }));
  else if (option === '--preserve') console.log(JSON.stringify(planDescriptors({}, Number(options[1])).keep));
  else if (option === '--costs') console.log(JSON.stringify(measureCosts()));
  else {
    for (const [name, body] of CHECKS) {
      const result: CheckResult = { name };
      try {
        await body();
      } catch (error) {
        result.error = error instanceof Error ? (error.stack ?? error.message) : String(error);
      }
      console.log(JSON.stringify(result));
    }
  }
}

await main();
