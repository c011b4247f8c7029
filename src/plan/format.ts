/**
 * The parent's steps as text, one a line, for `runts plan` and the golden files.
 *
 * @module
 */

import { accessLetters, type DeviceRule } from '../cgroup/devices/rules.ts';
import type { LinuxIDMapping } from '../spec/types.ts';
import type { HostStep } from './types.ts';

const map = (m: LinuxIDMapping): string => `${m.containerID} ${m.hostID} ${m.size}`;

/** As the kernel's v1 devices.list has it: `c 1:3 rwm`. */
function rule({ allow, type, major, minor, access }: DeviceRule): string {
  return `${allow ? 'allow' : 'deny '} ${type} ${major ?? '*'}:${minor ?? '*'} ${accessLetters(access)}`;
}

/** One step, of one or more lines. */
function describe(step: HostStep): string | string[] {
  switch (step.step) {
    case 'state':
      return `make state folder     ${step.path}`;
    case 'cgroup':
      return `make cgroup           ${step.path}`;
    case 'scope':
      return `start unit            ${step.unit} in ${step.slice} (${step.user ? 'user' : 'system'} bus)${step.subgroup === undefined ? '' : `, cgroup ${step.subgroup} in it`}`;
    case 'delegatedCgroup':
      return `enter cgroup          ${step.path}, below its own`;
    case 'cgroupOwner':
      return `change cgroup owner   to ${step.uid}`;
    case 'cgroupLimits':
      return step.writes.map(({ file, value }) => `write limit           ${file} ${JSON.stringify(value)}`);
    case 'deviceRules':
      return step.rules.map((each) => `device rule           ${rule(each)}`);
    case 'seccompFilter':
      return `keep seccomp filter   ${step.path}`;
    case 'seccompListener':
      return `wait for              LISTENER, for the agent at ${step.path}`;
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
    case 'scheduling':
      return 'set scheduling';
    case 'resctrl':
      return 'join resctrl group';
    case 'netDevices':
      return step.names.map(([from, to]) => `move network device   ${from} as ${to}`);
    case 'notifySocket':
      return `${step.bind ? 'listen on             ' : 'make folder           '}${step.path}`;
    case 'userNamespace':
      return `make user namespace   @${step.name} uid [${step.uid.map(map).join(', ')}] gid [${step.gid.map(map).join(', ')}]`;
    case 'copyUp':
      return `wait for              COPY_UP, and copy ${step.path}`;
    case 'pidfdSocket':
      return `send pidfd            ${step.path}`;
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
  return steps.flatMap(describe);
}
