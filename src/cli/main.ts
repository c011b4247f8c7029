/**
 * The entry of the program. No top-level await: Bun's bytecode is made from CommonJS.
 *
 * @module
 */

import { versionText } from '../version.ts';

/** Node's process.argv has the engine and the script before the arguments; a binary compiled by Bun has the same. */
const argv = process.argv.slice(2);

// On this signal Node opens its debugger on a port, where whoever may connect has the runtime's rights. A listener of
// ours is in its place; Bun has no such habit.
if (process.versions.bun === undefined) process.on('SIGUSR1', () => {});

/** What escapes a command, a callback or a promise: one line like any other failure, and no stack. */
function crash(error: unknown): void {
  import('./app.ts').then(
    ({ fail }) => process.exit(fail(error)),
    () => process.exit(1),
  );
}

if (argv.length === 1 && /^(--?version|-v)$/.test(argv[0] as string)) {
  // Engines ask for it often (`docker info`). console.log, because node:fs alone costs a millisecond under Bun;
  // here nobody hands stdout on to a container.
  console.log(versionText().trimEnd());
  // At once, so that a reader that went away is no unhandled stream error under Node.
  process.exit(0);
} else {
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
  // process.exit: every write is synchronous, and waiting for the engine's own shutdown costs a millisecond.
  import('./app.ts').then(({ main }) => main(argv)).then((code) => process.exit(code), crash);
}
