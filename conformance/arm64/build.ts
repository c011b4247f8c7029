/**
 * dist/runts.arm64, as this machine builds it.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { VmError } from '../vm/errors.ts';
import { withLock } from '../vm/lock.ts';

const project = join(import.meta.dirname, '../..');

/**
 * Builds it where something has changed; one process at a time.
 *
 * @returns its path
 * @throws {VmError} with what the build printed
 */
export function buildForArm64(): Promise<string> {
  return withLock([join(project, 'dist/arm64.lock')], () => {
    const argv = [join(project, 'scripts/build.mjs'), '--arch', 'arm64'];
    const { status, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
    if (status !== 0) throw new VmError(`dist/runts.arm64 is not built: ${stderr.trim()}`);
    return join(project, 'dist/runts.arm64');
  });
}
