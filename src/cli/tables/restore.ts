/**
 * The command line of `runts restore`.
 *
 * @module
 */

import type { CommandSpec, FlagSpec } from '../types.ts';
import { CRIU_FLAGS } from './criu.ts';
import { BUNDLE, CONSOLE_SOCKET, CONTAINER, NO_PIVOT, PIDFD_SOCKET, switchFlag } from './shared.ts';

const RESTORE_FLAGS: readonly FlagSpec[] = [
  BUNDLE,
  CONSOLE_SOCKET,
  { name: 'detach', short: 'd', type: 'boolean', help: 'do not wait for the container' },
  { name: 'pid-file', type: 'string', value: 'PATH', help: "write the container's process id to this file" },
  PIDFD_SOCKET,
  NO_PIVOT,
  switchFlag('no-subreaper', 'do not reap the orphans of the container (only without --detach)'),
  switchFlag('keep', 'do not remove the container when it has ended'),
  ...CRIU_FLAGS,
  switchFlag('tcp-close', 'TCP connections of the images are restored as closed ones'),
  {
    name: 'lsm-profile',
    type: 'string',
    value: 'TYPE:NAME',
    help: 'restore with this security profile, e.g. apparmor:NAME or selinux:LABEL',
  },
  {
    name: 'lsm-mount-context',
    type: 'string',
    value: 'LABEL',
    help: 'SELinux label of the restored file systems',
  },
];

export const RESTORE: CommandSpec = {
  name: 'restore',
  summary: 'make a container of what checkpoint saved',
  operands: 'CONTAINER-ID',
  minOperands: 1,
  maxOperands: 1,
  exitsAs: 'that of the container (128+N if signal N ended it)',
  description: `Has CRIU make the processes again that "runts checkpoint" saved, in a new container of the
bundle. Its config.json and its root file system must be as they were. Without --detach runts
waits for the container as "runts run" does.

${CONTAINER}

Example:
    runts restore --bundle /srv/web --image-path /srv/images --detach web`,
  flags: RESTORE_FLAGS,
};
