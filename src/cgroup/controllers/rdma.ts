/**
 * `linux.resources.rdma`: rdma.max, a line for each device.
 *
 * @see config-linux.md, RDMA; cgroup-v2.rst, RDMA Interface Files
 * @module
 */

import type { LinuxRdma } from '../../spec/types.ts';
import type { Write } from '../write.ts';

export function rdma(limits: Readonly<Record<string, LinuxRdma>>): Write[] {
  return Object.entries(limits).map(([device, { hcaHandles, hcaObjects }]) => {
    const values = [
      hcaHandles === undefined ? '' : ` hca_handle=${hcaHandles}`,
      hcaObjects === undefined ? '' : ` hca_object=${hcaObjects}`,
    ];
    const field = `linux.resources.rdma[${JSON.stringify(device)}]`;
    return { file: 'rdma.max', value: `${device}${values.join('')}`, field };
  });
}
