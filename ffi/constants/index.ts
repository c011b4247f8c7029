/**
 * The kernel's constants by name, without their prefixes: `MS.BIND`, `CLONE.NEWPID`, `O.CLOEXEC`, `ERRNO.ENOENT`.
 *
 * constants.test.ts compares them with the system's own headers.
 *
 * @module
 */

export * from './capability.ts';
export * from './errno.ts';
export * from './file.ts';
export * from './ioctl.ts';
export * from './mount.ts';
export * from './netlink.ts';
export * from './process.ts';
export * from './scheduling.ts';
export * from './sets.ts';
export * from './socket.ts';
