/**
 * The entry of the program under Node. The one of the binary is ffi/quickjs/main.ts.
 *
 * @module
 */

import { start } from './start.ts';

// On this signal Node opens its debugger on a port, where whoever may connect has the runtime's rights. A listener of
// ours is in its place.
process.on('SIGUSR1', () => {});

start();
