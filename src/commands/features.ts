/**
 * `runts features`: what this build implements, as JSON. Callers read stdout and stderr as one: nothing may be printed
 * beside it.
 *
 * @module
 */

import { ERRNO } from '../../ffi/constants/errno.ts';
import { SECCOMP, SECCOMP_FILTER_FLAG } from '../../ffi/constants/process.ts';
import { trySyscall } from '../../ffi/local.ts';
import { print } from '../cli/output.ts';
import { features } from '../features.ts';
import { FLAGS } from '../seccomp/tables.ts';
import type { LinuxSeccompFlag } from '../spec/types.ts';

export function run(): number {
  print(`${JSON.stringify(features(supportedFlags()), null, 2)}\n`);
  return 0;
}

/**
 * The flags that this kernel knows, without loading a filter: it looks at the flags first, and then finds no filter at
 * address 0 (seccomp(2), EFAULT).
 */
function supportedFlags(): LinuxSeccompFlag[] {
  try {
    return (Object.keys(FLAGS) as LinuxSeccompFlag[])
      .filter(
        (name) => trySyscall('seccomp', [SECCOMP.SET_MODE_FILTER, needed(name), null]) === -ERRNO.EFAULT,
      )
      .sort();
  } catch {
    // Without the native part the rest still holds.
    return [];
  }
}

/** One flag is refused unless it comes with another. */
function needed(name: LinuxSeccompFlag): number {
  return name === 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'
    ? FLAGS[name] | SECCOMP_FILTER_FLAG.NEW_LISTENER
    : FLAGS[name];
}
