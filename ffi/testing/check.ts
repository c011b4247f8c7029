/**
 * Checks of the native side that run under every engine: in a program for each.
 *
 * @module
 */

/** Fails by throwing. */
export type Check = readonly [name: string, body: () => void | Promise<void>];
