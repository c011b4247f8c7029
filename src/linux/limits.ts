/**
 * `process.rlimits` set from outside, for a container in a user namespace: there the container itself may not raise a
 * hard limit.
 *
 * @module
 */

import { resourceLimit } from '../../ffi/processes.ts';
import { RuntsError } from '../errors.ts';
import { encodeRlimit } from '../plan/identity.ts';
import type { POSIXRlimit } from '../spec/types.ts';

/** Sets the limits of a process; prlimit(2). */
export function setLimits(pid: number, limits: readonly POSIXRlimit[]): void {
  limits.forEach((limit, i) => {
    const { resource, soft, hard } = encodeRlimit(limit, i);
    try {
      resourceLimit(pid, resource, { soft: BigInt(soft), hard: BigInt(hard) });
    } catch (error) {
      if (!(error instanceof RuntsError)) throw error;
      throw new RuntsError('E_INIT', `process.rlimits[${i}]: ${error.message}`, {
        ...error.details,
        field: `process.rlimits[${i}]`,
        hint: 'raising a hard limit needs CAP_SYS_RESOURCE; RLIMIT_NOFILE is at most /proc/sys/fs/nr_open for everyone',
      });
    }
  });
}
