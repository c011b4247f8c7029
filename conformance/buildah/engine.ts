/**
 * Buildah as an engine of the suite; what it builds is run by Podman.
 *
 * @module
 */
import type { Engine } from '../engines/engine.ts';
import { PROGRAMS } from '../podman/engine.ts';
import { type Box, clear, open, version } from '../podman/podman.ts';
import { cases } from './cases.ts';

export const buildah: Engine<Box> = {
  name: 'buildah',
  title: 'Buildah',
  runtimes: ['runts', 'runc', 'crun'],
  programs: { ...PROGRAMS, buildah: 'buildah', podman: 'podman' },
  note: {
    host: 'As root and as an ordinary user with subordinate ids, in private mount, pid, network and cgroup namespaces on a host whose controllers are with cgroup v1.',
    vm: 'As root and as an ordinary user with a systemd of its own, in the test VM.',
  },
  vm: { systemd: true },
  open,
  cases,
  clear(box) {
    clear(box, ({ buildah: tool, podman }) => {
      tool.call('rm', '--all');
      podman.call('rmi', '--force', 'localhost/built');
    });
  },
  version: () => version('buildah', 'podman'),
};
