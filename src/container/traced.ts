/**
 * Commands with `--trace`. Without it nothing of the trace is loaded.
 *
 * @module
 */

import type { CommandContext } from '../cli/types.ts';
import type { Trace } from '../trace.ts';

/** Opens the trace of --trace. @throws RuntsError E_SYSCALL */
async function openTrace(ctx: CommandContext): Promise<Trace | undefined> {
  const path = ctx.flags.trace;
  if (typeof path !== 'string' || path === '') return undefined;
  const { Trace } = await import('../trace.ts');
  return new Trace(path);
}

/** Runs a command's work; the trace is written whether it succeeds or not. */
export async function traced<Result>(
  ctx: CommandContext,
  work: (trace: Trace | undefined) => Promise<Result>,
): Promise<Result> {
  const trace = await openTrace(ctx);
  try {
    return await work(trace);
  } finally {
    trace?.finish();
  }
}
