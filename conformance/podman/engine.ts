/**
 * Podman as an engine of the suite.
 *
 * @module
 */
import type { Engine } from '../engines/engine.ts';
import { isolating } from './cases/isolating.ts';
import { lasting } from './cases/lasting.ts';
import { limiting } from './cases/limiting.ts';
import { networking } from './cases/networking.ts';
import { running } from './cases/running.ts';
import { type Box, clear, open, version } from './podman.ts';

/** Debian's packages by program. */
export const PROGRAMS = {
  conmon: 'conmon',
  newuidmap: 'uidmap',
  slirp4netns: 'slirp4netns',
  setpriv: 'util-linux',
  // The user's own systemd is asked over the user's own bus.
  '/usr/lib/systemd/user/dbus.socket': 'dbus-user-session',
  '/usr/share/containers/seccomp.json': 'golang-github-containers-common',
} as const;

export const podman: Engine<Box> = {
  name: 'podman',
  title: 'Podman',
  runtimes: ['runts', 'runc', 'crun'],
  programs: {
    ...PROGRAMS,
    podman: 'podman',
    catatonit: 'catatonit',
    '/usr/lib/podman/netavark': 'netavark',
    iptables: 'iptables',
  },
  note: {
    host: 'As root and as an ordinary user with subordinate ids, cgroup manager cgroupfs, in private mount, pid, network and cgroup namespaces on a host whose controllers are with cgroup v1.',
    vm: 'As root and as an ordinary user with a systemd of its own, cgroup manager systemd unless the case says another one, in the test VM.',
  },
  vm: { systemd: true },
  open,
  cases: [...running, ...isolating, ...networking, ...limiting, ...lasting],
  clear: (box) => clear(box),
  version: () => version('podman'),
};
