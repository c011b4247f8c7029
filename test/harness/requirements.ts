/**
 * What tests need of the host, and why they are skipped without.
 *
 * @module
 */

import { accessSync, constants, statSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { findBusybox } from '../../scripts/prerequisites.mjs';

export const isRoot: boolean = process.geteuid?.() === 0;

/** The path of a program in PATH or one of the administrator's folders. */
export function findCommand(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  for (const folder of folders) {
    const path = `${folder}/${name}`;
    try {
      accessSync(path, constants.X_OK);
      if (folder !== '' && statSync(path).isFile()) return path;
    } catch {
      // not there
    }
  }
  return undefined;
}

export function hasCommand(name: string): boolean {
  return findCommand(name) !== undefined;
}

/**
 * Why tests with containers can't run here; false when they can. For the `skip` option of `test` and `describe`.
 *
 * @param commands - other programs that are needed
 */
export function missing(...commands: readonly string[]): string | false {
  if (!isRoot) return 'needs root';
  const absent = commands.filter((name) => !hasCommand(name));
  if (absent.length > 0) return `needs ${absent.join(', ')}`;
  return findBusybox() === undefined && 'needs a static busybox';
}

/** Skips the test that calls it when it doesn't run as root. Gives true then: return. */
export function skipUnlessRoot(t: TestContext): boolean {
  if (!isRoot) t.skip('needs root');
  return !isRoot;
}
