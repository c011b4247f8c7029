/**
 * The functions of libseccomp that compile a filter, seccomp(3).
 *
 * @module
 */

import { readFileSync } from '#files';
import { errnoName, errnoText } from '../../ffi/constants/errno.ts';
import type { NativeFunction } from '../../ffi/native.ts';
import { declare } from '../../ffi/native.ts';
import { RuntsError } from '../errors.ts';
import { fileIdentity } from './cache.ts';

const LIBRARY = 'libseccomp.so.2';

/** Attributes of a filter, enum scmp_filter_attr. */
export const ATTRIBUTE = { CTL_OPTIMIZE: 8 } as const;

/** Result of the functions that resolve a name when there is no such name. */
export const UNKNOWN_SYSCALL = -1;
export const UNKNOWN_ARCHITECTURE = 0;

/** A filter under construction, scmp_filter_ctx. */
export type FilterContext = number;

interface Functions {
  init: NativeFunction;
  release: NativeFunction;
  setAttribute: NativeFunction;
  resolveArchitecture: NativeFunction;
  addArchitecture: NativeFunction;
  resolveSyscall: NativeFunction;
  resolveNumber: (architecture: number, number: number) => string | null;
  nativeArchitecture: NativeFunction;
  addRule: NativeFunction;
  exportBpf: NativeFunction;
}

let functions: Functions | undefined;

/**
 * Loads libseccomp, once.
 *
 * @throws RuntsError E_UNSUPPORTED
 */
export function libseccomp(): Functions {
  if (functions !== undefined) return functions;
  const handle = 'uint64';
  try {
    functions = {
      init: declare(LIBRARY, 'seccomp_init', handle, ['uint']),
      release: declare(LIBRARY, 'seccomp_release', 'void', [handle]),
      setAttribute: declare(LIBRARY, 'seccomp_attr_set', 'int', [handle, 'int', 'uint']),
      resolveArchitecture: declare(LIBRARY, 'seccomp_arch_resolve_name', 'uint', ['str']),
      addArchitecture: declare(LIBRARY, 'seccomp_arch_add', 'int', [handle, 'uint']),
      resolveSyscall: declare(LIBRARY, 'seccomp_syscall_resolve_name_arch', 'int', ['uint', 'str']),
      // The string is malloc'ed and never freed: a few bytes, once, in a process that lives for milliseconds.
      resolveNumber: declare(LIBRARY, 'seccomp_syscall_resolve_num_arch', 'str', [
        'uint',
        'int',
      ]) as unknown as Functions['resolveNumber'],
      nativeArchitecture: declare(LIBRARY, 'seccomp_arch_native', 'uint', []),
      addRule: declare(LIBRARY, 'seccomp_rule_add_array', 'int', [handle, 'uint', 'int', 'uint', 'void *']),
      exportBpf: declare(LIBRARY, 'seccomp_export_bpf', 'int', [handle, 'int']),
    };
    return functions;
  } catch (cause) {
    if (cause instanceof RuntsError && cause.code === 'E_INSTALL') throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new RuntsError('E_UNSUPPORTED', `linux.seccomp: no usable ${LIBRARY}: ${reason}`, {
      field: 'linux.seccomp',
      hint: 'install it: apt-get install libseccomp2 (Debian, Ubuntu), dnf install libseccomp (Fedora), apk add libseccomp (Alpine)',
      cause,
    });
  }
}

/** The words for a result of libseccomp: a negative errno. */
export function failureText(result: number): string {
  return `${errnoText(-result)} (${errnoName(-result)})`;
}

/**
 * Which libseccomp is loaded: the path of its file and what changes when the file is replaced. A later version knows
 * more system calls, and makes another filter of the same profile.
 */
export function libraryIdentity(): string {
  const maps = readFileSync('/proc/self/maps', 'latin1');
  const path = /(\/[^\n]*\/libseccomp\.so[^\n]*)\n/.exec(maps)?.[1];
  return path === undefined ? '' : fileIdentity(path);
}
