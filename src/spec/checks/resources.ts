/** cgroup limits and Intel RDT: what is wrong on every host. What a host lacks is found when limits are applied. */

import { childPath } from '../violations.ts';
import type { Check } from './types.ts';

export const resourceChecks: readonly Check[] = [
  {
    name: 'block-io-weights',
    spec: 'config-linux.md, Block IO',
    reads: ['linux.resources.blockIO'],
    check({ linux }, report) {
      linux?.resources?.blockIO?.weightDevice?.forEach(({ weight, leafWeight }, i) => {
        if (weight !== undefined || leafWeight !== undefined) return;
        const path = `linux.resources.blockIO.weightDevice[${i}]`;
        report({ path, found: undefined, allowed: 'at least one of weight and leafWeight' });
      });
    },
  },
  {
    name: 'rdma-limits',
    spec: 'config-linux.md, RDMA',
    reads: ['linux.resources.rdma'],
    check({ linux }, report) {
      for (const [device, { hcaHandles, hcaObjects }] of Object.entries(linux?.resources?.rdma ?? {})) {
        if (hcaHandles !== undefined || hcaObjects !== undefined) continue;
        const path = childPath('linux.resources.rdma', device);
        report({ path, found: undefined, allowed: 'at least one of hcaHandles and hcaObjects' });
      }
    },
  },
  {
    name: 'cpu-burst',
    spec: 'config-linux.md, CPU',
    reads: ['linux.resources.cpu'],
    check({ linux }, report) {
      const { quota = 0, burst = 0 } = linux?.resources?.cpu ?? {};
      if (quota <= 0 || burst <= quota) return;
      report({ path: 'linux.resources.cpu.burst', found: burst, allowed: `at most the quota, ${quota}` });
    },
  },
  {
    name: 'unified-keys',
    spec: 'config-linux.md, Unified',
    reads: ['linux.resources.unified'],
    check({ linux }, report) {
      for (const [key, value] of Object.entries(linux?.resources?.unified ?? {})) {
        const path = childPath('linux.resources.unified', key);
        // The key becomes a file name in the cgroup's folder. Texts are runc's.
        if (key.includes('/')) {
          const text = `unified resource ${JSON.stringify(key)} must be a file name (no slashes)`;
          report({ path, found: value, allowed: 'a file name', text });
        } else if (!/^[^.]+\../.test(key)) {
          const text = `unified resource ${JSON.stringify(key)} must be in the form CONTROLLER.PARAMETER`;
          report({ path, found: value, allowed: 'CONTROLLER.PARAMETER', text });
        }
      }
    },
  },
  {
    name: 'intel-rdt',
    spec: 'config-linux.md, IntelRdt',
    reads: ['linux.intelRdt'],
    check({ linux }, report) {
      const { closID, schemata = [] } = linux?.intelRdt ?? {};
      // The id becomes a folder below resctrl; "/" is resctrl itself, the default class.
      if (
        closID !== undefined &&
        closID !== '/' &&
        (closID === '.' || closID === '..' || /[/\n]/.test(closID))
      ) {
        report({ path: 'linux.intelRdt.closID', found: closID, allowed: 'a folder name, or "/"' });
      }
      schemata.forEach((line, i) => {
        if (line.includes('\n')) {
          report({ path: `linux.intelRdt.schemata[${i}]`, found: line, allowed: 'one line' });
        }
      });
    },
  },
];
