/**
 * The parent's steps as text, one a line, for `runts plan` and the golden files.
 *
 * @module
 */

import type { LinuxIDMapping } from '../spec/types.ts';
import type { HostStep } from './types.ts';

const map = (m: LinuxIDMapping): string => `${m.containerID} ${m.hostID} ${m.size}`;

function describe(step: HostStep): string {
  switch (step.step) {
    case 'state':
      return `make state folder     ${step.path}`;
    case 'cgroup':
      return `make cgroup           ${step.path}`;
    case 'fifo':
      return `make fifo             ${step.path}`;
    case 'console':
      return `connect console       ${step.path}`;
    case 'spawn':
      return `spawn executor        with ${step.fds.map((name) => `@${name}`).join(' ')}`;
    case 'await':
      return `wait for              ${step.note}`;
    case 'idMaps':
      return `write id maps         uid [${step.uid.map(map).join(', ')}] gid [${step.gid.map(map).join(', ')}]`;
    case 'saveState':
      return `save state            ${step.status}`;
    case 'hooks':
      return `run hooks             ${step.phase} (${step.count})`;
    case 'limits':
      return `set limits            (${step.count})`;
    case 'pidFile':
      return `write pid file        ${step.path}`;
    case 'execed':
      return 'wait for              execve';
    case 'go':
      return 'let it go on';
  }
}

/** One line a step. */
export function formatHostSteps(steps: readonly HostStep[]): string[] {
  return steps.map(describe);
}
