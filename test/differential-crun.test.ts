/** The same bundles under runts and crun: what their containers see of themselves. */

import { findCommand, missing, privateWorld } from './harness/index.ts';
import { compare } from './support/differential.ts';
import type { Known } from './support/probe.ts';

// crun 1.8.1 can't work in a mixture of both kinds of cgroups.
const { skip } = privateWorld({ cgroups: 'v2' });
const path = findCommand('crun');

const KNOWN: readonly Known[] = [
  {
    why: 'masked files are covered with the host’s null device, which stays writable like a null device',
    lines: /mounts: \/proc\/(keys|timer_list) \/null /,
  },
  {
    why: 'masked folders share one sealed tmpfs with room for nothing',
    lines: /mounts: \/sys\/firmware \/ tmpfs /,
  },
  {
    why: 'a read-only path keeps nosuid, nodev and noexec of what it lies on; crun drops them, runc keeps them',
    lines: /mounts: \/proc\/(bus|fs|irq|sys) \/\w+ proc proc ro,/,
  },
  {
    why: 'a read-only sysfs is mounted so from the start, as with runc; crun makes the mount read-only afterwards',
    lines: /mounts: \/sys \/ sysfs sysfs ro,nosuid,nodev,noexec,relatime r[ow]$/,
  },
  {
    why: '/dev/core is made where the host has a /proc/kcore, as with runc; crun makes it always',
    lines: /other\| devices: (\/dev\/core|core -> \/proc\/kcore)/,
  },
  {
    why: 'an empty HOME counts as none and comes from passwd, as with runc since 1.2',
    lines: /environment: HOME=/,
  },
  {
    why: 'the propagation that a mount asks for holds, as with runc; crun 1.8.1 makes the tree private afterwards',
    lines: /mounts: \/(b|m)\/(shared|unbindable) /,
  },
  {
    why: 'in a user namespace the host’s devices are bound as they are; crun adds noexec, which means nothing for a device',
    lines: /mounts: \/dev\/(full|null|random|tty|urandom|zero) \/\w+ tmpfs /,
  },
  {
    why: 'the console keeps the options of the devpts that it is of; crun drops them',
    lines: /mounts: \/dev\/console \/0 devpts /,
  },
];

compare(path === undefined ? undefined : { name: 'crun', command: [path] }, KNOWN, {
  skip: skip || missing('crun', 'script'),
});
