/**
 * Docker with runts as its default runtime.
 *
 * @module
 */

import { findCommand } from '../../test/harness/requirements.ts';
import { type Engine, ok } from '../engines/engine.ts';
import { type Box, openBox } from './box.ts';
import { daemonCases } from './daemon-cases.ts';
import { execCases } from './exec-cases.ts';
import { imageCases } from './image-cases.ts';
import { lifeCases } from './life-cases.ts';
import { limitCases } from './limit-cases.ts';
import { networkCases } from './network-cases.ts';
import { processCases } from './process-cases.ts';
import { runCases } from './run-cases.ts';
import { storageCases } from './storage-cases.ts';

export const docker: Engine<Box> = {
  name: 'docker',
  title: 'Docker',
  programs: {
    dockerd: 'docker.io',
    docker: 'docker.io',
    containerd: 'containerd',
    'containerd-shim-runc-v2': 'containerd',
    iptables: 'iptables',
    rootlesskit: 'rootlesskit',
    newuidmap: 'uidmap',
    runc: 'runc',
  },
  note: {
    host: 'In private mount, pid and network namespaces on a host whose cgroup v2 has no controllers.',
    vm: 'In the VM, on pure cgroup v2 with every controller, with systemd.',
  },
  vm: { systemd: true, packages: ['apparmor'], onlyMarked: true },
  open: openBox,
  cases: [
    ...runCases,
    ...processCases,
    ...execCases,
    ...lifeCases,
    ...storageCases,
    ...networkCases,
    ...imageCases,
    ...daemonCases,
    ...limitCases,
  ],
  async clear({ daemons }) {
    for (const each of daemons.values()) await each.clear();
  },
  version: ({ setting }) => ok(setting.place, [findCommand('dockerd')!, '--version']).trim(),
};
