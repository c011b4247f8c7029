/**
 * `npm run conformance -- buildah [--vm]`: see ../engines/run.ts.
 *
 * @module
 */
import { runEngine } from '../engines/run.ts';
import { inCgroupNamespace } from '../podman/inside.ts';
import { buildah } from './engine.ts';

/** Runs the part. @returns the exit code */
export async function run(args: string[]): Promise<number> {
  return inCgroupNamespace(args) ?? (await runEngine(buildah, args));
}
