/**
 * `npm run conformance -- containerd [--vm]`: see ../engines/run.ts.
 *
 * @module
 */
import { runEngine } from '../engines/run.ts';
import { containerd } from './engine.ts';

export const run = (args: string[]): Promise<number> => runEngine(containerd, args);
