/**
 * containerd with runts through its shim for runc.
 *
 * @module
 */
import type { Engine } from '../engines/engine.ts';
import { containerCases } from './containers.ts';
import { removePods } from './cri.ts';
import { type Containerd, ctr, ctrOk, openContainerd } from './daemon.ts';
import { limitCases } from './limits.ts';
import { podCases } from './pods.ts';
import { runCases } from './run.ts';
import { streamCases } from './streams.ts';
import { taskCases } from './tasks.ts';

export const containerd: Engine<Containerd> = {
  name: 'containerd',
  title: 'containerd',
  programs: {
    containerd: 'containerd',
    ctr: 'containerd',
    'containerd-shim-runc-v2': 'containerd',
    '/usr/lib/cni/bridge': 'containernetworking-plugins',
    runc: 'runc',
  },
  note: {
    host: 'In private mount, pid and network namespaces on a host whose cgroup v2 has no controllers.',
    vm: 'In the VM, on pure cgroup v2 with every controller.',
  },
  vm: { systemd: true, onlyMarked: true },
  open: openContainerd,
  cases: [...runCases, ...taskCases, ...podCases, ...containerCases, ...streamCases, ...limitCases],
  async clear(box) {
    await removePods(box);
    for (const id of ctrOk(box, ['containers', 'list', '-q']).split('\n').filter(Boolean)) {
      ctr(box, ['tasks', 'delete', '--force', id]);
      ctrOk(box, ['containers', 'delete', id]);
    }
  },
  close(box) {
    box.tasks.close();
    box.cri.close();
  },
  version: (box) => `containerd ${ctrOk(box, ['version']).match(/Version: *(.*)/)?.[1]}`,
};
