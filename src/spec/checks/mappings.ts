/** Id mappings of the user namespace. */

import type { LinuxIDMapping } from '../types.ts';
import type { Check, Report } from './types.ts';
import { namespaceOf } from './types.ts';

/** Ids end below (uid_t) -1: map_write() of the kernel. */
const LAST_ID = 0xffffffff;
/** UID_GID_MAP_MAX_EXTENTS. */
const MAX_MAPPINGS = 340;

/** What the kernel refuses in an id map: empty, too high and overlapping ranges (user_namespaces(7)). */
export function mappingFaults(mappings: LinuxIDMapping[] | undefined, path: string, report: Report): void {
  if (mappings === undefined) return;
  if (mappings.length > MAX_MAPPINGS) {
    report({ path, found: mappings, allowed: `at most ${MAX_MAPPINGS} entries` });
    return;
  }
  mappings.forEach(({ size }, i) => {
    if (size === 0) report({ path: `${path}[${i}].size`, found: size, allowed: 'an integer of at least 1' });
  });
  for (const key of ['containerID', 'hostID'] as const) {
    const ranges = mappings.map((mapping, index) => ({
      index,
      first: mapping[key],
      end: mapping[key] + mapping.size,
    }));
    ranges.sort((a, b) => a.first - b.first);
    ranges.forEach(({ index, first, end }, i) => {
      const where = `${path}[${index}].${key}`;
      if (end > LAST_ID) {
        report({
          path: where,
          found: first,
          allowed: `a range that ends below ${LAST_ID}, this one ends at ${end - 1}`,
        });
      }
      const before = ranges[i - 1];
      if (before === undefined || before.end <= first) return;
      report({
        path: where,
        found: first,
        allowed: `a range that doesn't overlap that of ${path}[${before.index}]`,
      });
    });
  }
}

export const mappingChecks: readonly Check[] = [
  {
    name: 'user-namespace-mappings',
    spec: 'config-linux.md, User namespace mappings',
    reads: ['linux.namespaces', 'linux.uidMappings', 'linux.gidMappings'],
    check(spec, report) {
      const namespace = namespaceOf(spec, 'user');
      const { uidMappings, gidMappings } = spec.linux ?? {};
      const given = Boolean(uidMappings?.length || gidMappings?.length);
      if (namespace === undefined) {
        if (!given) return;
        report({
          path: uidMappings?.length ? 'linux.uidMappings' : 'linux.gidMappings',
          found: uidMappings?.length ? uidMappings : gidMappings,
          allowed: 'nothing without a user namespace in linux.namespaces',
          text: "user namespace mappings specified, but user namespace isn't enabled in the config",
        });
      } else if (!namespace.path) {
        if (!given) {
          report({
            path: 'linux.uidMappings',
            found: uidMappings,
            allowed: 'mappings with a new user namespace',
            text: 'user namespaces enabled, but no namespace path to join nor mappings to apply specified',
          });
        } else if (!uidMappings?.length || !gidMappings?.length) {
          const name = uidMappings?.length ? 'gidMappings' : 'uidMappings';
          const allowed = 'mappings of users and groups together with a new user namespace';
          report({ path: `linux.${name}`, found: undefined, allowed });
        }
      }
    },
  },
  {
    name: 'mapping-ranges',
    spec: 'config-linux.md, User namespace mappings; user_namespaces(7)',
    reads: ['linux.uidMappings', 'linux.gidMappings'],
    check({ linux }, report) {
      mappingFaults(linux?.uidMappings, 'linux.uidMappings', report);
      mappingFaults(linux?.gidMappings, 'linux.gidMappings', report);
    },
  },
];
