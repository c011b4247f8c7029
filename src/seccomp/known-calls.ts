/**
 * System calls that a profile names and nobody knows: usually left out, as profiles name those of all architectures and
 * of later kernels. Who wants to hear of misspelt ones says so by an annotation.
 *
 * @module
 */

import type { LinuxSeccomp } from '../spec/types.ts';
import { FIELD, invalid } from './errors.ts';
import { libseccomp, UNKNOWN_SYSCALL } from './libseccomp.ts';

/** @throws RuntsError E_CONFIG_INVALID for the first; E_UNSUPPORTED without libseccomp */
export function requireKnownCalls({ syscalls = [] }: LinuxSeccomp): void {
  const lib = libseccomp();
  const native = lib.nativeArchitecture();
  syscalls.forEach(({ names }, index) => {
    names.forEach((name, at) => {
      if (lib.resolveSyscall(native, name) !== UNKNOWN_SYSCALL) return;
      throw invalid(
        `${FIELD}.syscalls[${index}].names[${at}]`,
        `libseccomp doesn’t know the system call ${JSON.stringify(name)}`,
        'correct the name, install a later libseccomp, or leave out the annotation run.oci.seccomp_fail_unknown_syscall',
      );
    });
  });
}
