/**
 * Constants of scheduling and memory placement: sched_setattr(2), ioprio_set(2), set_mempolicy(2).
 *
 * @module
 */

/** Scheduling policies; linux/sched.h. SCHED_ISO is reserved and implemented by no kernel. */
export const SCHED = { OTHER: 0, FIFO: 1, RR: 2, BATCH: 3, ISO: 4, IDLE: 5, DEADLINE: 6 } as const;

/** Flags of struct sched_attr; linux/sched.h. */
export const SCHED_FLAG = {
  RESET_ON_FORK: 0x1,
  RECLAIM: 0x2,
  DL_OVERRUN: 0x4,
  KEEP_POLICY: 0x8,
  KEEP_PARAMS: 0x10,
  UTIL_CLAMP_MIN: 0x20,
  UTIL_CLAMP_MAX: 0x40,
} as const;

/** Classes of I/O priority, which stand in the bits from 13 on; linux/ioprio.h. */
export const IOPRIO_CLASS = { NONE: 0, RT: 1, BE: 2, IDLE: 3 } as const;

/** First argument of ioprio_set(2). */
export const IOPRIO_WHO = { PROCESS: 1, PGRP: 2, USER: 3 } as const;

/** Modes of set_mempolicy(2); linux/mempolicy.h. */
export const MPOL = {
  DEFAULT: 0,
  PREFERRED: 1,
  BIND: 2,
  INTERLEAVE: 3,
  LOCAL: 4,
  /** Linux 5.15. */
  PREFERRED_MANY: 5,
  /** Linux 6.9. */
  WEIGHTED_INTERLEAVE: 6,
} as const;

/** Flags that set_mempolicy(2) takes with a mode. */
export const MPOL_F = { NUMA_BALANCING: 0x2000, RELATIVE_NODES: 0x4000, STATIC_NODES: 0x8000 } as const;
