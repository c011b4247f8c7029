/**
 * `npm run conformance -- podman [--vm]`: see ../engines/run.ts.
 *
 * @module
 */
import { runEngine } from '../engines/run.ts';
import { podman } from './engine.ts';
import { inCgroupNamespace } from './inside.ts';

/** Runs the part. @returns the exit code */
export async function run(args: string[]): Promise<number> {
  return inCgroupNamespace(args) ?? (await runEngine(podman, args));
}
