/**
 * The command line of `runts exec`.
 *
 * @module
 */

import type { CommandSpec } from '../types.ts';
import { CONSOLE_SOCKET, PIDFD_SOCKET, TRACE } from './shared.ts';

export const EXEC: CommandSpec = {
  name: 'exec',
  summary: 'run a further process in a container',
  operands: 'CONTAINER-ID [COMMAND [ARG...]]',
  minOperands: 1,
  maxOperands: Number.MAX_SAFE_INTEGER,
  flagsFirst: true,
  failureExitCode: 255,
  exitsAs: 'that of the command (128+N if signal N ended it)',
  description: `Runs a command in a running container, with the environment, user and rights of the container's
own process where nothing else is said. Exits with the command's status (128+N if signal N ended
it), and with 255 when the command could not be run.

With --process the command is all that the file says; only capabilities, security labels,
scheduling and oomScoreAdj are the container's where it doesn't.

Example:
    runts exec --tty web sh`,
  flags: [
    {
      name: 'process',
      short: 'p',
      type: 'string',
      value: 'FILE',
      help: 'the process object as JSON; other flags about the process are then ignored',
    },
    CONSOLE_SOCKET,
    { name: 'detach', short: 'd', type: 'boolean', help: 'do not wait for the process' },
    { name: 'pid-file', type: 'string', value: 'PATH', help: "write the process's id to this file" },
    PIDFD_SOCKET,
    { name: 'tty', short: 't', type: 'boolean', help: 'give the process a terminal' },
    { name: 'cwd', type: 'string', value: 'DIR', help: 'working directory in the container' },
    {
      name: 'env',
      short: 'e',
      type: 'string',
      value: 'NAME=VALUE',
      repeat: true,
      help: 'set an environment variable',
    },
    { name: 'user', short: 'u', type: 'string', value: 'UID[:GID]', help: 'ids of the process' },
    {
      name: 'additional-gids',
      short: 'g',
      type: 'string',
      value: 'GID',
      repeat: true,
      help: 'a further group of the process',
    },
    {
      name: 'cap',
      short: 'c',
      type: 'string',
      value: 'CAP',
      repeat: true,
      help: 'a further capability of the process',
    },
    { name: 'apparmor', type: 'string', value: 'PROFILE', help: 'AppArmor profile of the process' },
    { name: 'process-label', type: 'string', value: 'LABEL', help: 'SELinux label of the process' },
    { name: 'no-new-privs', type: 'boolean', help: 'set no_new_privs' },
    {
      name: 'preserve-fds',
      type: 'number',
      value: 'N',
      default: 0,
      help: 'pass N further descriptors to the process, after stdio and $LISTEN_FDS',
    },
    { name: 'cgroup', type: 'string', value: 'PATH', help: "run in this cgroup below the container's" },
    {
      name: 'ignore-paused',
      type: 'boolean',
      help: 'do not refuse a paused container; the process then waits',
    },
    TRACE,
  ],
};
