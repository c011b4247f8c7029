/**
 * The program that works in the VM.
 *
 * @module
 */
import { join } from 'node:path';
import { bundleForVm } from '../vm/bundle.ts';
import { project } from './options.ts';

/** Makes it. @returns its file */
export async function bundle(): Promise<string> {
  const outdir = join(project, 'dist/conformance');
  await bundleForVm({ entryPoints: [join(project, 'conformance/main.ts')], outdir, splitting: true });
  return join(outdir, 'main.mjs');
}
