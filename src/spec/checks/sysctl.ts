/**
 * Sysctls that would change the host: only those of a namespace of the container's own are let through. The lists are
 * those of namespaces(7), ipc_namespaces(7), network_namespaces(7) and user_namespaces(7); the texts are runc's.
 *
 * @module
 */

import type { LinuxNamespaceType } from '../types.ts';
import { childPath } from '../violations.ts';
import type { Check } from './types.ts';
import { namespaceOf } from './types.ts';

const IPC = new Set([
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
  'kernel.shm_rmid_forced',
]);

/**
 * A sysctl's name as a list of path components below /proc/sys. With a slash first, slashes separate; with a dot
 * first, dots do, and a slash stands for a dot within a name: `net.ipv4.conf.eth0/100.rp_filter` (sysctl.d(5)).
 */
export function sysctlComponents(name: string): string[] {
  const slash = name.indexOf('/');
  if (slash < 0) return name.split('.');
  const dot = name.indexOf('.');
  if (dot < 0 || slash < dot) return name.split('/');
  return name.split('.').map((part) => part.replaceAll('/', '.'));
}

/** The namespace that a sysctl belongs to, undefined for those of the whole machine. */
export function namespaceOfSysctl(components: readonly string[]): LinuxNamespaceType | undefined {
  const [first, second] = components;
  const name = components.join('.');
  if (IPC.has(name) || (first === 'fs' && second === 'mqueue')) return 'ipc';
  if (first === 'net') return 'network';
  if (first === 'user') return 'user';
  return name === 'kernel.domainname' ? 'uts' : undefined;
}

function isFileName(part: string): boolean {
  return part !== '' && part !== '.' && part !== '..';
}

/** What is said of one that would be the host's; runc's texts. */
export const REFUSALS: Partial<Record<LinuxNamespaceType, string>> = {
  ipc: 'is not allowed in the hosts ipc namespace',
  network: 'is not allowed in host network namespace',
  uts: 'is not allowed in the hosts uts namespace',
  user: 'is not allowed in the hosts user namespace',
};

export const sysctlChecks: readonly Check[] = [
  {
    name: 'sysctl',
    spec: 'config-linux.md, Sysctl',
    reads: ['linux.sysctl', 'linux.namespaces', 'domainname'],
    check(spec, report) {
      for (const [name, value] of Object.entries(spec.linux?.sysctl ?? {})) {
        const components = sysctlComponents(name);
        const refuse = (allowed: string, text: string): void =>
          report({
            path: childPath('linux.sysctl', name),
            found: value,
            allowed,
            text: `sysctl ${JSON.stringify(name)} ${text}`,
          });
        // net.//.kernel.core_pattern is net/../kernel/core_pattern.
        if (components.length < 2 || !components.every(isFileName)) {
          refuse('a name such as net.ipv4.ip_forward', 'is not a valid name');
          continue;
        }
        const dotted = components.join('.');
        if (dotted === 'kernel.hostname') {
          refuse('nothing: set hostname', 'is not allowed as it conflicts with the OCI "hostname" field');
          continue;
        }
        if (dotted === 'kernel.domainname' && spec.domainname) {
          refuse(
            'nothing beside domainname',
            'is not allowed as it conflicts with the OCI "domainname" field',
          );
          continue;
        }
        const type = namespaceOfSysctl(components);
        if (type === undefined) {
          refuse(
            'a sysctl of a namespace: net.*, user.*, fs.mqueue.* or of IPC',
            'is not in a separate kernel namespace',
          );
        } else if (namespaceOf(spec, type) === undefined) {
          refuse(`nothing without a ${type} namespace in linux.namespaces`, REFUSALS[type] ?? '');
        }
      }
    },
  },
];
