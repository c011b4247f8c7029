/**
 * From the start of the process to its end.
 *
 * @module
 */

import { versionText } from '../version.ts';

/** What escapes a command, a callback or a promise: one line like any other failure, and no stack. */
function crash(error: unknown): void {
  import('./app.ts').then(
    ({ fail }) => process.exit(fail(error)),
    () => process.exit(1),
  );
}

/**
 * Ends the process by hand: every write is synchronous, and nothing is left to wait for. Under Node not before it was told
 * of a promise that was rejected in vain, when there are no more jobs; in the binary, the exit looks for such promises.
 */
function end(code: number): void {
  if (typeof setImmediate === 'function') setImmediate(() => process.exit(code));
  else process.exit(code);
}

/** Carries out the command line of `process.argv`, whose first two are the engine and the script. */
export function start(): void {
  const argv = process.argv.slice(2);
  if (argv.length === 1 && /^(--?version|-v)$/.test(argv[0] as string)) {
    // Engines ask for it often (`docker info`). console.log, because here nobody hands stdout on to a container.
    console.log(versionText().trimEnd());
    // At once, so that a reader that went away is no unhandled stream error under Node.
    process.exit(0);
  }
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
  import('./app.ts').then(({ main }) => main(argv)).then(end, crash);
}
