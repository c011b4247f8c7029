/**
 * Files of one run, removed at its end or at this process's, also when a signal ends it.
 *
 * @module
 */
import { rmSync } from 'node:fs';

const paths = new Set<string>();
let installed = false;

function removeAll(): void {
  for (const path of paths) rmSync(path, { recursive: true, force: true });
}

function install(): void {
  installed = true;
  process.on('exit', removeAll);
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
    ['SIGHUP', 1],
  ] as const) {
    // A program that handles the signal itself also ends itself.
    process.once(signal, () => process.listenerCount(signal) === 0 && process.exit(128 + number));
  }
}

/** @returns a function that removes the file or folder now */
export function temporary(path: string): () => void {
  if (!installed) install();
  paths.add(path);
  return () => {
    paths.delete(path);
    rmSync(path, { recursive: true, force: true });
  };
}
