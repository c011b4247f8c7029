/**
 * The command line of `runts checkpoint`.
 *
 * @module
 */

import type { CommandSpec, FlagSpec } from '../types.ts';
import { CRIU_FLAGS } from './criu.ts';
import { switchFlag } from './shared.ts';

const CHECKPOINT_FLAGS: readonly FlagSpec[] = [
  ...CRIU_FLAGS,
  switchFlag('leave-running', 'the container runs on'),
  switchFlag('pre-dump', 'save the memory alone, and let the container run on'),
  {
    name: 'parent-path',
    type: 'string',
    value: 'DIR',
    help: 'images of an earlier pre-dump, relative to --image-path: only what has changed since is saved',
  },
  {
    name: 'page-server',
    type: 'string',
    value: 'ADDRESS:PORT',
    help: 'send the memory to the page server there, or with --lazy-pages serve it there',
  },
  {
    name: 'status-fd',
    type: 'number',
    value: 'FD',
    help: 'with --lazy-pages: descriptor that gets a NUL byte when the page server is ready',
  },
  switchFlag('link-remap', 'files that are open but removed may be linked again, to be found'),
  switchFlag('tcp-skip-in-flight', 'TCP connections that are not established yet are left out'),
];

export const CHECKPOINT: CommandSpec = {
  name: 'checkpoint',
  summary: 'save a running container to files',
  operands: 'CONTAINER-ID',
  minOperands: 1,
  maxOperands: 1,
  description: `Has CRIU save the container's processes to files, from which "runts restore" makes them again,
here or on another machine. The container is removed then, unless --leave-running or --pre-dump
is given.

Example:
    runts checkpoint --image-path /srv/images web`,
  flags: CHECKPOINT_FLAGS,
};
