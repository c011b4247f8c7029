/**
 * Errors of cgroup files and folders: which path, which call, which errno, and what to do.
 *
 * @module
 */

import { errnoText } from '../cli/present.ts';
import { errnoOf, RuntsError } from '../errors.ts';

const NOT_WRITABLE =
  'the cgroup is not writable for this user: run as root or in a cgroup that was delegated to the user, or without cgroups: --cgroup-manager disabled';

/** Usual causes by errno; cgroups(7) and the kernel's cgroup-v2.rst. */
const HINTS: Record<string, string> = {
  EACCES: NOT_WRITABLE,
  EPERM: NOT_WRITABLE,
  EROFS: 'the cgroup file system is mounted read-only here',
  EAGAIN: 'the limit cgroup.max.descendants or cgroup.max.depth of a parent cgroup is reached',
  ENOENT: 'the cgroup was removed by somebody else',
  ENOTDIR: 'a component of the path is one of the kernel’s files',
  EEXIST: 'the kernel has a file of this name',
  EBUSY: 'processes or other cgroups are in it',
  ENOSPC: 'the kernel has no room for another cgroup',
};

/**
 * @param action what was attempted, e.g. `make cgroup`
 * @param syscall its name, e.g. `mkdir`
 * @param hint instead of the usual remedy for the errno
 * @param field of the config that it comes from
 */
export function cgroupError(
  action: string,
  path: string,
  syscall: string,
  cause: unknown,
  hint?: string,
  field?: string,
): RuntsError {
  const errno = errnoOf(cause);
  const place = field === undefined ? '' : `${field}: `;
  return new RuntsError('E_CGROUP', `${place}cannot ${action} ${path}: ${syscall}: ${errnoText(cause)}`, {
    field,
    syscall,
    errno,
    hint: hint ?? (errno && HINTS[errno]),
    cause,
  });
}
