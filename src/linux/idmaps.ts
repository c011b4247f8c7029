/**
 * The id maps of a user namespace, written by the parent; user_namespaces(7).
 *
 * @module
 */

import { writeFileSync } from 'node:fs';
import { errnoText } from '../cli/present.ts';
import { errnoOf, RuntsError } from '../errors.ts';
import type { LinuxIDMapping } from '../spec/types.ts';

const REMEDIES: Readonly<Record<string, string>> = {
  EPERM: 'mapping more than one’s own id needs CAP_SETUID and CAP_SETGID over the runtime’s user namespace',
  EINVAL: 'mappings must not overlap, and at most 340 are allowed',
};

/** Writes the maps of the process `pid`, which waits in its new user namespace. */
export function writeIdMaps(
  pid: number,
  uid: readonly LinuxIDMapping[],
  gid: readonly LinuxIDMapping[],
): void {
  writeMap(pid, 'uid_map', uid, 'linux.uidMappings');
  writeMap(pid, 'gid_map', gid, 'linux.gidMappings');
}

/** One write(2) for the whole map: the kernel takes no second one. */
function writeMap(
  pid: number,
  file: 'uid_map' | 'gid_map',
  mappings: readonly LinuxIDMapping[],
  field: string,
): void {
  if (mappings.length === 0) return;
  const path = `/proc/${pid}/${file}`;
  try {
    writeFileSync(path, mappings.map((m) => `${m.containerID} ${m.hostID} ${m.size}\n`).join(''));
  } catch (error) {
    const errno = errnoOf(error);
    throw new RuntsError('E_INIT', `${field}: write ${path}: ${errnoText(error)}`, {
      field,
      syscall: 'write',
      errno,
      hint: REMEDIES[errno ?? ''],
      cause: error,
    });
  }
}
