/**
 * Attributes of the process that the kernel keeps across execve and that need rights which the command doesn't get:
 * set after rlimits and before ids and capabilities change, by init and by `exec` alike.
 *
 * @module
 */

import type { LinuxMemoryPolicy, LinuxPersonality, Process } from '../spec/types.ts';
import { planMemoryPolicy } from './memory-policy.ts';
import { planPersonality } from './personality.ts';
import { planScheduling } from './scheduling.ts';
import type { PlanContext } from './types.ts';

/** What of `linux` every process of the container gets. */
export interface InheritedAttributes {
  personality?: LinuxPersonality;
  memoryPolicy?: LinuxMemoryPolicy;
}

/**
 * In a user namespace nobody has CAP_SYS_NICE as the scheduler sees it: there the parent sets policy and priority, as
 * it does the rlimits.
 */
export function planProcessAttributes(ctx: PlanContext, process: Process, linux: InheritedAttributes): void {
  const { program } = ctx;
  if (!ctx.userNamespace) planScheduling(program, process);
  if (linux.personality !== undefined) planPersonality(program, linux.personality);
  if (linux.memoryPolicy !== undefined) planMemoryPolicy(program, linux.memoryPolicy);
}
