/**
 * `process.scheduler` and `process.ioPriority` set from outside, for a container in a user namespace: the kernel asks
 * for CAP_SYS_NICE in the initial one, which the container itself doesn't have.
 *
 * @module
 */

import { IOPRIO_WHO } from '../../ffi/constants/scheduling.ts';
import { syscall } from '../../ffi/local.ts';
import { ioPriorityValue, schedulerAttributes } from '../plan/scheduling.ts';
import type { Process } from '../spec/types.ts';

const HINT = {
  EPERM: 'needs CAP_SYS_NICE, or RLIMIT_RTPRIO and RLIMIT_NICE of the runtime',
  ESRCH: 'the process is gone',
};

/** @throws RuntsError E_INIT */
export function setScheduling(pid: number, { scheduler, ioPriority }: Process): void {
  if (scheduler !== undefined) {
    syscall('sched_setattr', [pid, schedulerAttributes(scheduler), 0], {
      code: 'E_INIT',
      field: 'process.scheduler',
      hint: HINT,
    });
  }
  if (ioPriority !== undefined) {
    syscall('ioprio_set', [IOPRIO_WHO.PROCESS, pid, ioPriorityValue(ioPriority)], {
      code: 'E_INIT',
      field: 'process.ioPriority',
      hint: HINT,
    });
  }
}
