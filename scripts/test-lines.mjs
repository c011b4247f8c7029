// @ts-check
/**
 * Runs test files and prints what becomes of each test as a line of JSON: `node scripts/test-lines.mjs FILE...`. For a run
 * that has this one elsewhere, as in the test VM.
 *
 * @module
 */
import { eachOf, runJob } from './test-jobs.mjs';
import { runFile } from './test-outcomes.mjs';

await eachOf(process.argv.slice(2), 1, (file) =>
  runJob({ name: file, run: (emit, signal) => runFile(file, emit, signal) }, (outcome) => {
    process.stdout.write(`${JSON.stringify(outcome)}\n`);
  }),
);
