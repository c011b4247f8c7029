/**
 * Freezing and thawing a container's cgroup; cgroup-v2.rst, cgroup.freeze (Linux 5.2).
 *
 * @module
 */

import { readFileSync, writeFileSync } from '#files';
import { RuntsError } from '../errors.ts';
import { cgroupError } from './errors.ts';
import { waitForEvents } from './events.ts';

/** How long the kernel may take to stop every task. One that waits in a driver can't be stopped. */
const FREEZE_MS = 10_000;

/** Stops every process of the cgroup and waits until all have stopped. On failure they run on. */
export function freeze(directory: string): void {
  write(directory, '1');
  if (waitForEvents(directory, () => frozen(directory), FREEZE_MS)) return;
  thaw(directory);
  throw new RuntsError('E_CGROUP', `${directory} did not freeze within ${FREEZE_MS / 1000} s`, {
    hint: 'a process waits in the kernel for a device or file system; the container runs on',
  });
}

/** Lets every process of the cgroup run again, and waits for it. */
export function thaw(directory: string): void {
  write(directory, '0');
  if (waitForEvents(directory, () => !frozen(directory), FREEZE_MS)) return;
  throw new RuntsError('E_CGROUP', `${directory} is still frozen`, {
    hint: 'a cgroup above it has 1 in cgroup.freeze',
  });
}

function write(directory: string, value: '0' | '1'): void {
  const path = `${directory}/cgroup.freeze`;
  try {
    writeFileSync(path, value);
  } catch (error) {
    throw cgroupError('write', path, 'write', error);
  }
}

/** cgroup.events and not cgroup.freeze: that is the wish, this what became of it. */
function frozen(directory: string): boolean {
  return /^frozen 1$/m.test(readFileSync(`${directory}/cgroup.events`, 'latin1'));
}
