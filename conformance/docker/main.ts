/**
 * `npm run conformance -- docker [--vm]`: see ../engines/run.ts.
 *
 * @module
 */
import { runEngine } from '../engines/run.ts';
import { docker } from './engine.ts';

export const run = (args: string[]): Promise<number> => runEngine(docker, args);
