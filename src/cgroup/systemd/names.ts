/**
 * Names of systemd units for a container: from `linux.cgroupsPath` to a scope in a slice. Pure.
 *
 * @see systemd.unit(5), systemd.slice(5); the form `slice:prefix:name` is runc's
 * @module
 */

import { utf8 } from '../../../ffi/text.ts';
import { RuntsError } from '../../errors.ts';

const FIELD = 'linux.cgroupsPath';

/** A unit that holds a container's processes. */
export interface ScopeName {
  /** E.g. `runts-c1.scope`. */
  unit: string;
  /** The slice that it is in, e.g. `system.slice`; `-.slice` is the root. */
  slice: string;
  /** Asked of the user's own systemd rather than the system's. */
  user: boolean;
}

/** Greatest length of a unit's name; UNIT_NAME_MAX of systemd. */
const NAME_MAX = 255;

/**
 * The unit for a container.
 *
 * - `slice:prefix:name` is the scope `prefix-name.scope` in that slice; an empty slice is system.slice, or user.slice
 *   for a user's own systemd.
 * - Absent or empty: `runts-ID.scope`.
 *
 * @throws RuntsError E_CGROUP for another form, or a slice that can't be
 */
export function scopeName(cgroupsPath: string | undefined, id: string, user: boolean): ScopeName {
  const [slice = '', prefix = '', name = '', ...more] = cgroupsPath
    ? cgroupsPath.split(':')
    : ['', 'runts', id];
  if (name === '' || more.length > 0) {
    throw refuse(
      cgroupsPath ?? '',
      'expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups',
    );
  }
  const inSlice = slice === '' ? (user ? 'user.slice' : 'system.slice') : slice;
  sliceParents(inSlice);
  if (name.endsWith('.slice')) throw refuse(name, 'is a slice, which holds other units and no processes');
  const unit = escapeName(`${prefix === '' ? '' : `${prefix}-`}${name}.scope`);
  if (unit.length > NAME_MAX) throw refuse(unit, `is longer than the ${NAME_MAX} bytes of a unit's name`);
  return { unit, slice: inSlice, user };
}

/**
 * The cgroup of a unit below the root of its systemd. Each dash in a slice's name is a level: `a-b.slice` is
 * `/a.slice/a-b.slice`.
 */
export function unitPath({ unit, slice }: ScopeName): string {
  return `/${[...sliceParents(slice), unit].join('/')}`;
}

/**
 * A slice and those above it, outermost first.
 *
 * @throws RuntsError E_CGROUP
 */
function sliceParents(slice: string): string[] {
  if (slice === '-.slice') return [];
  const parts = slice.slice(0, -'.slice'.length).split('-');
  if (!slice.endsWith('.slice') || slice.includes('/') || parts.includes('')) {
    throw refuse(slice, 'is no name of a slice: it ends in .slice, and dashes stand between names');
  }
  return parts.map((_, index) => `${parts.slice(0, index + 1).join('-')}.slice`);
}

/** What unit names may not have as \xNN, as systemd-escape(1) does. Ids may have a `+`. */
function escapeName(name: string): string {
  let escaped = '';
  for (const byte of utf8(name)) {
    const char = String.fromCharCode(byte);
    escaped += /[A-Za-z0-9:_.\\@-]/.test(char) ? char : `\\x${byte.toString(16).padStart(2, '0')}`;
  }
  return escaped;
}

function refuse(given: string, why: string): RuntsError {
  return new RuntsError('E_CGROUP', `${FIELD}: ${JSON.stringify(given)}: ${why}`, {
    field: FIELD,
    hint: 'e.g. "system.slice:runts:c1", or no cgroupsPath at all',
  });
}
