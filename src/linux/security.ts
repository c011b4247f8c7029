/**
 * Which Linux security modules are on.
 *
 * @module
 */

import { existsSync, readFileSync } from '#files';

export interface SecurityModules {
  apparmor: boolean;
  selinux: boolean;
}

/** `sys` is another place for /sys in tests. */
export function securityModules(sys = '/sys'): SecurityModules {
  return { apparmor: apparmorEnabled(sys), selinux: existsSync(`${sys}/fs/selinux/enforce`) };
}

/** apparmor(7): a container sees this file too, while securityfs is the host's alone. */
function apparmorEnabled(sys: string): boolean {
  try {
    return readFileSync(`${sys}/module/apparmor/parameters/enabled`, 'latin1').startsWith('Y');
  } catch {
    return false;
  }
}
