/** Scheduler and memory policy. */

import type { LinuxMemoryPolicy } from '../types.ts';
import type { Check } from './types.ts';

const REALTIME = ['SCHED_FIFO', 'SCHED_RR'];
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
      for (const name of ['runtime', 'deadline', 'period'] as const) {
        if (!scheduler[name] || policy === 'SCHED_DEADLINE') continue;
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
    name: 'memory-policy',
    spec: 'config-linux.md, Memory policy; set_mempolicy(2)',
    reads: ['linux.memoryPolicy'],
    check({ linux }, report) {
      if (linux?.memoryPolicy !== undefined) checkMemoryPolicy(linux.memoryPolicy, report);
    },
  },
];

function checkMemoryPolicy(
  { mode, nodes, flags = [] }: LinuxMemoryPolicy,
  report: Parameters<Check['check']>[1],
): void {
  const given = nodes !== undefined && nodes.trim() !== '';
  if (given && WITHOUT_NODES.includes(mode)) {
    report({ path: 'linux.memoryPolicy.nodes', found: nodes, allowed: `nothing with ${mode}` });
  }
  if (!given && WITH_NODES.includes(mode)) {
    report({ path: 'linux.memoryPolicy.nodes', found: nodes, allowed: `a list of nodes with ${mode}` });
  }
  if (flags.includes('MPOL_F_STATIC_NODES') && flags.includes('MPOL_F_RELATIVE_NODES')) {
    report({
      path: 'linux.memoryPolicy.flags',
      found: flags,
      allowed: 'one of MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES, not both',
    });
  }
}
