/** Mounts, masked and read-only paths. What options mean is decided where mounts are planned. */

import { mappingFaults } from './mappings.ts';
import type { Check } from './types.ts';
import { namespaceOf } from './types.ts';

export const mountChecks: readonly Check[] = [
  {
    name: 'mount-destination',
    spec: 'config.md, Mounts',
    reads: ['mounts'],
    check({ mounts = [] }, report) {
      mounts.forEach(({ destination }, i) => {
        if (destination === '') {
          report({ path: `mounts[${i}].destination`, found: '', allowed: 'a path inside the container' });
        }
      });
    },
  },
  {
    name: 'mount-mappings',
    spec: 'config.md, POSIX-platform Mounts',
    reads: ['mounts'],
    check({ mounts = [] }, report) {
      mounts.forEach(({ uidMappings, gidMappings }, i) => {
        if (uidMappings === undefined && gidMappings === undefined) return;
        const path = `mounts[${i}]`;
        // mount_setattr(2) takes both from one user namespace.
        for (const [given, other, name] of [
          [uidMappings, gidMappings, 'gidMappings'],
          [gidMappings, uidMappings, 'uidMappings'],
        ] as const) {
          if (given?.length && !other?.length) {
            report({
              path: `${path}.${name}`,
              found: other,
              allowed: 'mappings of users and groups together',
            });
          }
        }
        mappingFaults(uidMappings, `${path}.uidMappings`, report);
        mappingFaults(gidMappings, `${path}.gidMappings`, report);
      });
    },
  },
  {
    name: 'masks-need-mount-namespace',
    spec: 'config-linux.md, Masked Paths, Readonly Paths',
    reads: ['linux.maskedPaths', 'linux.readonlyPaths', 'linux.namespaces'],
    check(spec, report) {
      if (namespaceOf(spec, 'mount') !== undefined) return;
      for (const name of ['maskedPaths', 'readonlyPaths'] as const) {
        const paths = spec.linux?.[name];
        if (!paths?.length) continue;
        report({
          path: `linux.${name}`,
          found: paths,
          allowed: 'nothing without a mount namespace in linux.namespaces',
          text: 'unable to restrict sys entries without a private MNT namespace',
        });
      }
    },
  },
];
