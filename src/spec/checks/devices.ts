/** Device nodes. */

import type { Check } from './types.ts';

/** The kernel has 12 and 20 bits, and ignores what is beyond: it would be another device. */
const GREATEST = { major: 0xfff, minor: 0xfffff } as const;

export const deviceChecks: readonly Check[] = [
  {
    name: 'device-numbers',
    spec: 'config-linux.md, Devices',
    reads: ['linux.devices'],
    check({ linux }, report) {
      linux?.devices?.forEach((device, i) => {
        if (device.type === 'p') return;
        for (const name of ['major', 'minor'] as const) {
          const number = device[name];
          // Go writes both even if they are 0, so an absent one is a mistake and not a 0.
          if (number !== undefined && number > GREATEST[name]) {
            const allowed = `a number of at most ${GREATEST[name]}`;
            report({ path: `linux.devices[${i}].${name}`, found: number, allowed });
          }
          if (number !== undefined && number >= 0) continue;
          const allowed = `a number of at least 0 (it is required with type ${JSON.stringify(device.type)})`;
          report({ path: `linux.devices[${i}].${name}`, found: number, allowed });
        }
      });
    },
  },
  {
    name: 'device-paths',
    spec: 'config-linux.md, Devices',
    reads: ['linux.devices'],
    check({ linux }, report) {
      linux?.devices?.forEach(({ path }, i) => {
        if (/[^/.]/.test(path.slice(path.lastIndexOf('/')))) return;
        report({ path: `linux.devices[${i}].path`, found: path, allowed: 'the path of a file' });
      });
    },
  },
];
