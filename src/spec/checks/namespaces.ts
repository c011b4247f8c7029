/** Namespaces and what needs them. Most texts are runc's. */

import { utf8Length } from '../../../ffi/text.ts';
import { childPath } from '../violations.ts';
import type { Check } from './types.ts';
import { createsNamespace, hasEntries, namespaceOf } from './types.ts';

const CLOCKS = ['boottime', 'monotonic'];
const SECOND = 1_000_000_000;
/** IFNAMSIZ without the NUL. */
const INTERFACE_LENGTH = 15;

/** dev_valid_name() of the kernel. */
function isInterfaceName(name: string): boolean {
  if (name === '' || name === '.' || name === '..') return false;
  return utf8Length(name) <= INTERFACE_LENGTH && !/[/:\s]/.test(name);
}

export const namespaceChecks: readonly Check[] = [
  {
    name: 'duplicate-namespace',
    spec: 'config-linux.md, Namespaces',
    reads: ['linux.namespaces'],
    check({ linux }, report) {
      const seen = new Map<string, number>();
      linux?.namespaces?.forEach(({ type }, i) => {
        const first = seen.get(type);
        if (first !== undefined) {
          report({
            path: `linux.namespaces[${i}].type`,
            found: type,
            allowed: `a type that linux.namespaces[${first}] has not taken`,
            text: `duplicate namespace ${JSON.stringify(type)}: linux.namespaces[${first}] is of this type`,
          });
        }
        seen.set(type, i);
      });
    },
  },
  {
    name: 'time-offsets',
    spec: 'config-linux.md, Offset for Time Namespace; time_namespaces(7)',
    reads: ['linux.timeOffsets', 'linux.namespaces'],
    check(spec, report) {
      const offsets = spec.linux?.timeOffsets;
      if (offsets === undefined || !hasEntries(offsets)) return;
      const path = 'linux.timeOffsets';
      if (!createsNamespace(spec, 'time')) {
        report({
          path,
          found: offsets,
          allowed: 'nothing without a new time namespace in linux.namespaces',
          text:
            namespaceOf(spec, 'time') === undefined
              ? "time namespace offsets specified, but time namespace isn't enabled in the config"
              : 'time namespace enabled, but both namespace path and time offsets specified -- you may only provide one',
        });
      }
      for (const [clock, offset] of Object.entries(offsets)) {
        if (!CLOCKS.includes(clock)) {
          report({
            path: childPath(path, clock),
            found: offset,
            allowed: `only the clocks ${CLOCKS.join(' and ')}`,
          });
        } else if ((offset.nanosecs ?? 0) >= SECOND) {
          const allowed = `an integer below ${SECOND}`;
          report({ path: `${path}.${clock}.nanosecs`, found: offset.nanosecs, allowed });
        }
      }
    },
  },
  {
    name: 'net-devices',
    spec: 'config-linux.md, Network Devices',
    reads: ['linux.netDevices', 'linux.namespaces'],
    check(spec, report) {
      const devices = spec.linux?.netDevices;
      if (devices === undefined || !hasEntries(devices)) return;
      if (namespaceOf(spec, 'network') === undefined) {
        report({
          path: 'linux.netDevices',
          found: devices,
          allowed: 'nothing without a network namespace in linux.namespaces',
          text: 'unable to move network devices without a private NET namespace',
        });
      }
      const inside = new Map<string, string>();
      for (const [name, device] of Object.entries(devices)) {
        const path = childPath('linux.netDevices', name);
        const target = device.name || name;
        for (const [where, value] of [
          [path, name],
          [`${path}.name`, target],
        ] as const) {
          if (isInterfaceName(value)) continue;
          const allowed = `a name of 1 to ${INTERFACE_LENGTH} bytes without "/", ":" and spaces`;
          report({ path: where, found: value, allowed });
        }
        const other = inside.get(target);
        // Of a name with %d the kernel makes a different one for each device.
        if (other !== undefined && !target.includes('%d')) {
          const allowed = `a name that ${childPath('linux.netDevices', other)} does not get inside the container`;
          report({ path: `${path}.name`, found: target, allowed });
        }
        inside.set(target, name);
      }
    },
  },
];
