/**
 * The flags of commands that CRIU works for.
 *
 * @module
 */

import type { FlagSpec } from '../types.ts';
import { switchFlag } from './shared.ts';

/** What `checkpoint` and `restore` share. */
export const CRIU_FLAGS: readonly FlagSpec[] = [
  {
    name: 'image-path',
    type: 'string',
    value: 'DIR',
    help: 'folder of the images (default: checkpoint, in the working directory)',
  },
  {
    name: 'work-path',
    type: 'string',
    value: 'DIR',
    help: "folder of CRIU's logs and statistics (default: the images')",
  },
  switchFlag('tcp-established', 'open TCP connections are saved and restored'),
  switchFlag('ext-unix-sk', 'Unix sockets whose other end is outside of the container are allowed'),
  switchFlag('shell-job', 'the terminal is the one of the caller'),
  switchFlag('file-locks', 'file locks are saved and restored'),
  {
    name: 'manage-cgroups-mode',
    type: 'string',
    value: 'MODE',
    choices: ['soft', 'full', 'strict', 'ignore'],
    help: "how the container's cgroups are saved and restored: soft, full, strict or ignore (default: soft)",
  },
  {
    name: 'empty-ns',
    type: 'string',
    value: 'NAMESPACE',
    choices: ['network'],
    repeat: true,
    help: "leave out this namespace's content; only network",
  },
  switchFlag('auto-dedup', 'free the pages of the images that a later one, or the memory, replaces'),
  switchFlag('lazy-pages', 'memory is fetched from a page server when the container needs it'),
  {
    name: 'network-lock',
    type: 'string',
    value: 'METHOD',
    choices: ['iptables', 'nftables', 'skip'],
    help: 'how connections are held meanwhile: iptables, nftables or skip (default: iptables)',
  },
];
