/**
 * The checks as a program, to be compiled with Bun: prints one line of JSON for each. With `--costs`, what loading and
 * starting cost, in microseconds.
 *
 * @module
 */

import { installDirectory, isCompiled } from '../engine.ts';
import { CALL_CHECKS } from './call-checks.ts';
import { measureCosts } from './costs.ts';
import { SPAWN_CHECKS } from './spawn-checks.ts';

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
    Object.defineProperty((globalThis as { Bun?: object }).Bun, 'FFI', { value: undefined });
  }
  const [option] = options;
  if (option === '--where')
    console.log(JSON.stringify({ compiled: isCompiled(), directory: installDirectory() }));
  else if (option === '--costs') console.log(JSON.stringify(measureCosts()));
  else {
    for (const [name, body] of [...CALL_CHECKS, ...SPAWN_CHECKS]) {
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
