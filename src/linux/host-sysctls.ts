/**
 * Sysctls of a namespace that is joined by a path, when the path leads to the one that the runtime is in: then they are
 * the host's.
 *
 * @module
 */

import { statSync } from '#files';
import { RuntsError } from '../errors.ts';
import { namespaceOfSysctl, REFUSALS, sysctlComponents } from '../spec/checks/sysctl.ts';
import { namespaceOf } from '../spec/checks/types.ts';
import type { LinuxNamespaceType, Spec } from '../spec/types.ts';
import { childPath } from '../spec/violations.ts';

/** Names in /proc/PID/ns, for those that have sysctls; namespaces(7). */
const FILES: Partial<Record<LinuxNamespaceType, string>> = {
  ipc: 'ipc',
  network: 'net',
  user: 'user',
  uts: 'uts',
};

/** A namespace is what its file's device and inode say; namespaces(7), "The /proc/[pid]/ns/ directory". */
function isOurs(path: string, type: LinuxNamespaceType): boolean {
  const theirs = statSync(path, { throwIfNoEntry: false });
  const ours = statSync(`/proc/self/ns/${FILES[type]}`, { throwIfNoEntry: false });
  return theirs !== undefined && theirs.ino === ours?.ino && theirs.dev === ours.dev;
}

/** @throws RuntsError E_CONFIG_INVALID with runc's text */
export function refuseHostSysctls(spec: Spec): void {
  for (const name of Object.keys(spec.linux?.sysctl ?? {})) {
    const type = namespaceOfSysctl(sysctlComponents(name));
    const path = type === undefined ? undefined : namespaceOf(spec, type)?.path;
    if (type === undefined || !path || !isOurs(path, type)) continue;
    const field = childPath('linux.sysctl', name);
    throw new RuntsError('E_CONFIG_INVALID', `${field}: sysctl ${JSON.stringify(name)} ${REFUSALS[type]}`, {
      field,
      hint: `${path} is the runtime’s own ${type} namespace`,
    });
  }
}
