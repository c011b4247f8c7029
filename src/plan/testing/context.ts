/**
 * A planner's context for tests of one part, and its operations as text.
 *
 * @module
 */

import { formatProgram } from '../../../ffi/format.ts';
import { Program } from '../../../ffi/program.ts';
import type { HostFacts, PlanContext } from '../types.ts';

export const FACTS: HostFacts = {
  machine: 'x64',
  euid: 0,
  egid: 0,
  lastCapability: 40,
  cgroupMount: '/sys/fs/cgroup',
};

/** Root's, of a container without user namespace, after `changes`. */
export function contextFor(
  changes: Partial<Omit<PlanContext, 'program'>> = {},
): PlanContext & { program: Program } {
  return {
    program: new Program(),
    facts: FACTS,
    options: {
      id: 'box',
      bundle: '/bundle',
      rootfs: '/bundle/rootfs',
      stateDir: '/run/runts/box',
      mode: 'create',
      cgroupPath: null,
      noPivot: false,
      noNewKeyring: false,
      preserveFds: 0,
    },
    userNamespace: false,
    warnings: [],
    ...changes,
  };
}

/** The operations that were planned, one a line, without the columns of a plan. */
export function lines(program: Program): string[] {
  return formatProgram(program).map((line) => line.trim().replace(/ {2,}#/, ' #'));
}
