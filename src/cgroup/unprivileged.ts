/**
 * Whether the runtime is without root's rights on the host: then cgroups and device rules depend on what was delegated.
 *
 * @module
 */

import { readFileSync } from '#files';

/** An ordinary user, or root of a user namespace, whose map is not the whole range; user_namespaces(7). */
export function isUnprivileged(): boolean {
  return process.geteuid?.() !== 0 || inUserNamespace();
}

/** Whether this process is in a user namespace other than the host's. */
export function inUserNamespace(): boolean {
  try {
    return !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'latin1'));
  } catch {
    return false;
  }
}
