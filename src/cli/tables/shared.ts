/**
 * What several commands have in common.
 *
 * @module
 */

import type { FlagSpec } from '../types.ts';

export const textFlag = (name: string, value: string, help: string): FlagSpec => ({
  name,
  type: 'string',
  value,
  help,
});

export const BUNDLE: FlagSpec = {
  name: 'bundle',
  short: 'b',
  type: 'string',
  value: 'DIR',
  default: '.',
  help: 'the bundle: the folder with config.json',
};

export const CONSOLE_SOCKET: FlagSpec = textFlag(
  'console-socket',
  'PATH',
  "AF_UNIX stream socket that receives the master end of the container's terminal",
);

export const PIDFD_SOCKET: FlagSpec = textFlag(
  'pidfd-socket',
  'PATH',
  'AF_UNIX stream socket that receives a pidfd of the new process',
);

export const TRACE: FlagSpec = textFlag(
  'trace',
  'FILE',
  'write where the time went to this file, for ui.perfetto.dev',
);

export const NO_PIVOT: FlagSpec = {
  name: 'no-pivot',
  type: 'boolean',
  help: 'use MS_MOVE and chroot instead of pivot_root, for a rootfs on a ramdisk; less safe',
};

export const NO_NEW_KEYRING: FlagSpec = {
  name: 'no-new-keyring',
  type: 'boolean',
  help: "keep the caller's session keyring instead of creating one for the container",
};

/** What `create` and `run` share. */
export const CREATE_FLAGS: readonly FlagSpec[] = [
  BUNDLE,
  CONSOLE_SOCKET,
  { name: 'pid-file', type: 'string', value: 'PATH', help: "write the container's process id to this file" },
  PIDFD_SOCKET,
  NO_PIVOT,
  NO_NEW_KEYRING,
  {
    name: 'preserve-fds',
    type: 'number',
    value: 'N',
    default: 0,
    help: 'pass N further descriptors to the container, after stdio and $LISTEN_FDS',
  },
  TRACE,
];

export const CONTAINER = `CONTAINER-ID is the name of the container, unique under --root: letters, digits and the
characters _ + . - (but not ".", ".." or ".cache").`;

export const REGEX_FLAG: FlagSpec = {
  name: 'regex',
  short: 'r',
  type: 'boolean',
  help: 'CONTAINER-ID is a regular expression, found anywhere in the id; all containers that match',
};

export const JSON_FLAG: FlagSpec = { name: 'json', type: 'boolean', help: 'print JSON' };

export const switchFlag = (name: string, help: string): FlagSpec => ({ name, type: 'boolean', help });

/** Of what prints a table. */
export const FORMAT_FLAG: FlagSpec = {
  name: 'format',
  short: 'f',
  type: 'string',
  value: 'FORMAT',
  default: 'table',
  choices: ['table', 'json'],
  help: 'table or json',
};
