/**
 * Checks of the native side that run under every engine: as tests under Node, and in a program compiled with Bun.
 *
 * @module
 */

/** Fails by throwing. */
export type Check = readonly [name: string, body: () => void | Promise<void>];
