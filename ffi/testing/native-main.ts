/**
 * The checks as a program for each engine: prints one line of JSON for each. With `--costs`, what the
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

export async function main(): Promise<void> {
  const options = process.argv.slice(2);
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
        result.error = error instanceof Error ? `${error}\n${error.stack}` : String(error);
      }
      console.log(JSON.stringify(result));
    }
  }
}
