/**
 * The entry of the binary. The build runs the top level of this and of every other module once (scripts/build-program.mjs
 * imports them all), and a process begins at `start`.
 *
 * @module
 */

import './builtins.ts';
import './loop.ts';
import { start } from '../../src/cli/start.ts';
import { onStart } from './process.ts';

onStart(start);
