/**
 * Flags of a profile for seccomp(2).
 *
 * @module
 */

import { SECCOMP_FILTER_FLAG } from '../../ffi/constants/process.ts';
import type { LinuxSeccomp } from '../spec/types.ts';
import { FIELD, invalid } from './errors.ts';
import { FLAGS } from './tables.ts';

/**
 * Without `flags` the speculation mitigation is left off, as with the other runtimes.
 *
 * @param notify - some calls are left to an agent
 * @throws RuntsError E_CONFIG_INVALID
 */
export function filterFlags(
  flags: LinuxSeccomp['flags'],
  notify: boolean,
): { flags: number; notify: boolean } {
  let all: number = flags === undefined ? SECCOMP_FILTER_FLAG.SPEC_ALLOW : 0;
  (flags ?? []).forEach((name, index) => {
    const flag: number | undefined = FLAGS[name];
    if (flag === undefined) throw invalid(`${FIELD}.flags[${index}]`, `unknown flag ${JSON.stringify(name)}`);
    all |= flag;
  });
  // The filter is loaded by a process with one thread, so there is nothing to synchronise, and the kernel refuses the
  // flag together with a listener.
  all &= ~SECCOMP_FILTER_FLAG.TSYNC;
  if (notify) all |= SECCOMP_FILTER_FLAG.NEW_LISTENER;
  // It says how a listener is waited for; the kernel refuses it without one.
  else all &= ~SECCOMP_FILTER_FLAG.WAIT_KILLABLE_RECV;
  return { flags: all, notify };
}
