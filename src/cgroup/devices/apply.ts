/**
 * Puts device rules into force for a container's cgroup.
 *
 * @module
 */

import { closeSync, constants, openSync } from '#files';
import { RuntsError } from '../../errors.ts';
import { log } from '../../log.ts';
import { cgroupError } from '../errors.ts';
import { isUnprivileged } from '../unprivileged.ts';
import { attachProgram, loadProgram } from './bpf.ts';
import { deviceProgram, encodeProgram } from './program.ts';
import type { DeviceRule } from './rules.ts';

/**
 * Compiles, loads and attaches; it vanishes with the cgroup.
 *
 * In a user namespace, and without privileges, programs can't be loaded. There the rules are left out, with a line in
 * the log: such a caller can't make device nodes, and what it can open its own rights allow already.
 *
 * @param directory of the cgroup
 * @param rules from deviceRules(); undefined removes an earlier program
 * @throws RuntsError E_CGROUP
 */
export function applyDeviceRules(directory: string, rules: readonly DeviceRule[] | undefined): void {
  let cgroup: number;
  try {
    cgroup = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    throw cgroupError('open cgroup', directory, 'open', error);
  }
  try {
    if (rules === undefined) attachProgram(cgroup, null);
    else attachRules(cgroup, rules);
  } catch (error) {
    if (!(error instanceof RuntsError && error.details.errno === 'EPERM' && isUnprivileged())) throw error;
    log.info(`linux.resources.devices is not in force: ${error.message}`);
  } finally {
    closeSync(cgroup);
  }
}

function attachRules(cgroup: number, rules: readonly DeviceRule[]): void {
  const program = loadProgram(encodeProgram(deviceProgram(rules)));
  try {
    attachProgram(cgroup, program);
  } finally {
    closeSync(program);
  }
}
