/** The same bundles under runts and runc: what their containers see of themselves. */

import { findCommand, missing, privateWorld } from './harness/index.ts';
import { compare } from './support/differential.ts';
import type { Known } from './support/probe.ts';

const { skip } = privateWorld();
const path = findCommand('runc');

const KNOWN: readonly Known[] = [
  {
    why: 'masked files are covered with the host’s null device, which no image can replace, not with the container’s',
    lines: /mounts: \/proc\/(keys|timer_list) \/null /,
  },
  {
    why: 'masked folders share one sealed tmpfs with room for nothing',
    lines: /mounts: \/sys\/firmware \/ tmpfs /,
  },
  {
    why: 'in a user namespace the message queues belong to its root in both ids, because init becomes it before they are made',
    lines: /devices: \/dev\/mqueue drwxrwxrwt 0:(0|65534) /,
  },
];

compare(path === undefined ? undefined : { name: 'runc', command: [path] }, KNOWN, {
  skip: skip || missing('runc', 'script'),
});
