/** Scheduler, processors and memory policy. */

import { parseList } from '../lists.ts';
import type { LinuxMemoryPolicy, Scheduler } from '../types.ts';
import type { Check, Report } from './types.ts';

const REALTIME = ['SCHED_FIFO', 'SCHED_RR'];
/** The kernel's least, in nanoseconds: DL_SCALE. */
const LEAST_RUNTIME = 1024;
/** The top bit of a deadline is the kernel's. */
const GREATEST_TIME = 2 ** 63;
const WITHOUT_NODES = ['MPOL_DEFAULT', 'MPOL_LOCAL'];
const WITH_NODES = ['MPOL_BIND', 'MPOL_INTERLEAVE', 'MPOL_WEIGHTED_INTERLEAVE', 'MPOL_PREFERRED_MANY'];

export const schedulingChecks: readonly Check[] = [
  {
    name: 'scheduler',
    spec: 'config.md, Linux Process; sched(7)',
    reads: ['process.scheduler'],
    check({ process }, report) {
      const scheduler = process?.scheduler;
      if (scheduler === undefined) return;
      const { policy, priority } = scheduler;
      if (REALTIME.includes(policy)) {
        if (priority === undefined || priority < 1 || priority > 99) {
          const allowed = `an integer from 1 to 99 with ${policy}`;
          report({ path: 'process.scheduler.priority', found: priority, allowed });
        }
      } else if (priority) {
        report({
          path: 'process.scheduler.priority',
          found: priority,
          allowed: '0 or nothing',
          text: `scheduler.Priority can only be specified for SchedFIFO or SchedRR policy, found ${priority} with ${policy}`,
        });
      }
      if (policy === 'SCHED_DEADLINE') {
        checkDeadline(scheduler, report);
        return;
      }
      for (const name of ['runtime', 'deadline', 'period'] as const) {
        if (!scheduler[name]) continue;
        report({
          path: `process.scheduler.${name}`,
          found: scheduler[name],
          allowed: '0 or nothing',
          text: `scheduler runtime/deadline/period can only be specified for SchedDeadline policy, found it with ${policy}`,
        });
      }
    },
  },
  {
    name: 'cpu-affinity',
    spec: 'config.md, Linux Process',
    reads: ['process.execCPUAffinity'],
    check({ process }, report) {
      for (const name of ['initial', 'final'] as const) {
        checkList(`process.execCPUAffinity.${name}`, process?.execCPUAffinity?.[name], report);
      }
    },
  },
  {
    name: 'memory-policy',
    spec: 'config-linux.md, Memory policy; set_mempolicy(2)',
    reads: ['linux.memoryPolicy'],
    check({ linux }, report) {
      if (linux?.memoryPolicy !== undefined) checkMemoryPolicy(linux.memoryPolicy, report);
    },
  },
];

/** sched(7): the kernel would only say EINVAL. */
function checkDeadline(scheduler: Scheduler, report: Report): void {
  // The parameters that the process has are kept then, and these aren't looked at.
  if (scheduler.flags?.includes('SCHED_FLAG_KEEP_PARAMS')) return;
  const { runtime = 0, deadline = 0 } = scheduler;
  const period = scheduler.period || deadline;
  const wrong = (name: 'runtime' | 'deadline' | 'period', allowed: string): void =>
    report({
      path: `process.scheduler.${name}`,
      found: scheduler[name],
      allowed: `${allowed} with SCHED_DEADLINE`,
    });
  if (runtime < LEAST_RUNTIME) wrong('runtime', `at least ${LEAST_RUNTIME} (nanoseconds)`);
  if (deadline < runtime || deadline === 0) wrong('deadline', `at least the runtime, ${runtime},`);
  if (period < deadline) wrong('period', `0 or at least the deadline, ${deadline},`);
  for (const name of ['deadline', 'period'] as const) {
    if ((scheduler[name] ?? 0) >= GREATEST_TIME) wrong(name, 'less than 2^63');
  }
}

/** A list of numbers; an empty one is as good as none. */
function checkList(path: string, list: string | undefined, report: Report): void {
  if (!list) return;
  const ranges = parseList(list);
  if (typeof ranges !== 'string') return;
  const text = `${JSON.stringify(list)} is no list such as 0-3,7: ${ranges}`;
  report({ path, found: list, allowed: 'a list such as 0-3,7', text });
}

function checkMemoryPolicy({ mode, nodes, flags = [] }: LinuxMemoryPolicy, report: Report): void {
  const given = nodes !== undefined && nodes.trim() !== '';
  if (given && WITHOUT_NODES.includes(mode)) {
    report({ path: 'linux.memoryPolicy.nodes', found: nodes, allowed: `nothing with ${mode}` });
  }
  if (!given && WITH_NODES.includes(mode)) {
    report({ path: 'linux.memoryPolicy.nodes', found: nodes, allowed: `a list of nodes with ${mode}` });
  }
  if (given) checkList('linux.memoryPolicy.nodes', nodes, report);
  if (flags.includes('MPOL_F_STATIC_NODES') && flags.includes('MPOL_F_RELATIVE_NODES')) {
    report({
      path: 'linux.memoryPolicy.flags',
      found: flags,
      allowed: 'one of MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES, not both',
    });
  }
}
