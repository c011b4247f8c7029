/**
 * Which cgroup a container gets: a pure function of `linux.cgroupsPath`, its id and the runtime's own cgroup.
 *
 * @module
 */

import { utf8Length } from '../../ffi/text.ts';
import { RuntsError } from '../errors.ts';

const FIELD = 'linux.cgroupsPath';

function refuse(cgroupsPath: string, why: string, hint: string): RuntsError {
  return new RuntsError('E_CGROUP', `${FIELD}: ${JSON.stringify(cgroupsPath)} ${why}`, {
    field: FIELD,
    hint,
  });
}

/** Resolves `.`, `..` and repeated slashes; undefined when `..` leads above the start. */
function normalize(path: string): string[] | undefined {
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '' || name === '.') continue;
    if (name !== '..') names.push(name);
    else if (names.pop() === undefined) return undefined;
  }
  return names;
}

/**
 * The container's cgroup relative to the v2 mount point, with a leading slash; config-linux.md, Control Groups.
 *
 * - Absolute: as it says, from the mount point.
 * - Relative: below the cgroup that holds the runtime's own. Not below the own one itself: that has processes, and
 *   a cgroup with processes can't have controllers enabled for its children (cgroup-v2.rst, "No Internal Process
 *   Constraint"). runc does the same.
 * - Absent or empty: the container's id, as a relative path.
 *
 * `a:b:c`, the form for systemd, is a folder's name like any other here; runc's cgroupfs manager takes it so.
 *
 * @param own the runtime's own cgroup
 * @throws RuntsError E_CGROUP for a path that leaves its start or names no cgroup below it
 */
export function cgroupPath(cgroupsPath: string | undefined, id: string, own: string): string {
  const wanted = cgroupsPath || id;
  if (wanted.includes('\0') || wanted.includes('\n')) {
    throw refuse(wanted, 'has a character that no cgroup can have', 'NUL and newline are not allowed');
  }
  const names = normalize(wanted);
  if (names === undefined) throw refuse(wanted, 'leads out of the hierarchy', 'remove the .. components');
  const last = names.at(-1);
  if (last === undefined) {
    throw refuse(wanted, 'is not a cgroup of its own', 'name one for this container, or leave the field out');
  }
  const long = names.find((name) => utf8Length(name) > 255);
  if (long !== undefined) throw refuse(wanted, 'has a component of more than 255 bytes', 'shorten it');
  if (wanted.startsWith('/')) return `/${names.join('/')}`;
  if (own.startsWith('/..')) {
    throw refuse(
      wanted,
      `is relative, but the runtime's own cgroup ${own} is outside of its cgroup namespace`,
      'give an absolute path',
    );
  }
  const parents = own.split('/').filter((name) => name !== '');
  return `/${[...parents.slice(0, -1), ...names].join('/')}`;
}
