/**
 * Commands on a container that ends in this very moment: what fails then is of no interest, but that it has ended.
 *
 * @module
 */

import { ERRNO } from '../../ffi/constants/index.ts';
import { POLL, poll } from '../../ffi/descriptors.ts';
import type { Report } from '../../ffi/report.ts';
import { Unexpected } from './channel.ts';
import { isAlive } from './process.ts';
import type { ContainerState } from './state.ts';

/** How long after a sign of its end the container's init is given to turn out dead. */
const INIT_END_MS = 500;

/**
 * Whether the container has ended, after a process failed on its way in.
 *
 * @param init - pidfd of the container's init
 * @param error - what the process failed of
 */
export function hasEnded(state: ContainerState, init: number, error: unknown): boolean {
  if (error instanceof Unexpected && tellsOfTheEnd(error.report)) {
    poll([{ fd: init, events: POLL.IN }], INIT_END_MS);
  }
  return state.init === null || !isAlive(state.init);
}

/**
 * A moment before init is dead it has no namespaces to join any more (ESRCH), its pid namespace takes no process any more
 * (ENOMEM; pid_namespaces(7)), and what is there is killed without a word.
 */
function tellsOfTheEnd(report: Report | null): boolean {
  if (report?.type !== 'fail') return report === null;
  return report.errno === ERRNO.ESRCH || report.errno === ERRNO.ENOMEM;
}
