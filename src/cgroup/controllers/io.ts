/**
 * `linux.resources.blockIO`: io.bfq.weight or io.weight, and io.max.
 *
 * @see config-linux.md, Block IO; cgroup-v2.rst, IO Interface Files; the kernel's bfq-iosched.rst
 * @module
 */

import type { LinuxBlockIO } from '../../spec/types.ts';
import { decimal, refuse, type Write } from '../write.ts';

const FIELD = 'linux.resources.blockIO';

/** The config's name of each throttle and the kernel's key in io.max. */
const THROTTLES = [
  ['throttleReadBpsDevice', 'rbps'],
  ['throttleWriteBpsDevice', 'wbps'],
  ['throttleReadIOPSDevice', 'riops'],
  ['throttleWriteIOPSDevice', 'wiops'],
] as const;

/** io.weight (1 to 10000) for a config's weight, which has the scale of v1 and of BFQ (10 to 1000), linearly. */
export function ioWeight(weight: number): number {
  return Math.max(1, Math.floor(1 + ((weight - 10) * 9999) / 990));
}

/**
 * The writes for block I/O. A weight goes to the BFQ scheduler where the kernel has it, else to io.weight, which
 * io.cost and others obey. 0 and absent leave a weight as it is; a rate of 0 is no limit, as with v1.
 *
 * @throws RuntsError E_UNSUPPORTED for leaf weights, which only cgroup v1 has
 */
export function io(limits: LinuxBlockIO): Write[] {
  const { weight = 0, leafWeight = 0, weightDevice = [] } = limits;
  refuseLeaf(leafWeight, `${FIELD}.leafWeight`);
  const writes: Write[] = [];
  if (weight !== 0) writes.push(weightWrite('', weight, `${FIELD}.weight`));
  weightDevice.forEach((device, i) => {
    refuseLeaf(device.leafWeight ?? 0, `${FIELD}.weightDevice[${i}].leafWeight`);
    if (!device.weight) return;
    const field = `${FIELD}.weightDevice[${i}].weight`;
    writes.push(weightWrite(`${device.major}:${device.minor} `, device.weight, field));
  });
  for (const [name, key] of THROTTLES) {
    limits[name]?.forEach(({ major, minor, rate }, i) => {
      const value = `${major}:${minor} ${key}=${rate === 0 ? 'max' : decimal(rate)}`;
      writes.push({ file: 'io.max', value, field: `${FIELD}.${name}[${i}]` });
    });
  }
  return writes;
}

function weightWrite(prefix: string, weight: number, field: string): Write {
  return {
    file: 'io.bfq.weight',
    value: `${prefix}${weight}`,
    field,
    otherwise: { file: 'io.weight', value: `${prefix}${ioWeight(weight)}` },
  };
}

function refuseLeaf(weight: number, field: string): void {
  if (weight === 0) return;
  throw refuse(field, 'only cgroup v1 has leaf weights, not v2', 'remove it');
}
