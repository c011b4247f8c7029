/**
 * What the tests of limits need, and why they are skipped without.
 *
 * @module
 */

import { readdirSync, readFileSync } from 'node:fs';
import { isRoot } from '../harness/index.ts';

/** Where the tests of this folder run when QEMU is there. */
export const IN_VM = 'in the VM: npm test -- test/vm, with QEMU';

/** Why limits can't be set here; false when they can. */
export function limitsSkip(): string | false {
  if (!isRoot) return 'needs root';
  let controllers = '';
  try {
    controllers = readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8');
  } catch {
    // no pure v2
  }
  const missing = ['memory', 'pids', 'cpu', 'cpuset', 'io', 'hugetlb', 'rdma'].filter(
    (name) => !controllers.split(/\s/).includes(name),
  );
  if (missing.length === 0) return false;
  return `cgroup v2 lacks ${missing.join(', ')} here; ${IN_VM}`;
}

/** Why units can't be made here; false when systemd runs. */
export function systemdSkip(): string | false {
  const skip = limitsSkip();
  if (skip) return skip;
  const first = readFileSync('/proc/1/comm', 'utf8').trim();
  return first === 'systemd' ? false : `systemd does not run here; ${IN_VM}`;
}

/** A disk, which throttles can be set for. */
export function blockDevice(): { major: number; minor: number } {
  const name = readdirSync('/sys/block').find((each) => /^(vd|sd|nvme)/.test(each)) ?? 'vda';
  const [major = 0, minor = 0] = readFileSync(`/sys/block/${name}/dev`, 'utf8').split(':').map(Number);
  return { major, minor };
}
