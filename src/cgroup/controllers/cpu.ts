/**
 * `linux.resources.cpu` without the sets: cpu.weight, cpu.max, cpu.max.burst and cpu.idle.
 *
 * @see config-linux.md, CPU; cgroup-v2.rst, CPU Interface Files
 * @module
 */

import type { LinuxCPU } from '../../spec/types.ts';
import { decimal, refuse, type Write } from '../write.ts';

const FIELD = 'linux.resources.cpu';

/** The kernel's default of a cgroup, in microseconds. */
const DEFAULT_PERIOD = 100_000;

/**
 * cpu.weight (1 to 10000, default 100) for v1's shares (2 to 262144, default 1024): a curve through the minimum, the
 * default and the maximum of both, which runc, crun and youki agree on since 2026. 0 stays 0, which is unset.
 */
export function weightOfShares(shares: number): number {
  if (shares === 0) return 0;
  if (shares <= 2) return 1;
  if (shares >= 262144) return 10000;
  const l = Math.log2(shares);
  const weight = 10 ** ((l * l + 125 * l) / 612 - 7 / 34);
  // The curve goes through (1024, 100) exactly; floating point may say 100.00000000000001.
  return Math.ceil(weight - 1e-9);
}

/**
 * The writes for processor time. 0 and absent leave a file as it is (but `burst` and `idle`, where 0 is a value); a
 * negative quota means no limit.
 *
 * @throws RuntsError E_UNSUPPORTED for realtime limits, which only cgroup v1 has
 */
export function cpu(limits: LinuxCPU): Write[] {
  refuseRealtime(limits);
  const { shares = 0, quota = 0, period = 0, burst, idle } = limits;
  const writes: Write[] = [];
  if (idle !== undefined) {
    writes.push({ file: 'cpu.idle', value: String(idle), field: `${FIELD}.idle` });
  }
  // An idle cgroup has the least weight and the kernel refuses another (EINVAL); it comes back with `idle: 0`.
  if (shares !== 0 && idle !== 1) {
    writes.push({ file: 'cpu.weight', value: String(weightOfShares(shares)), field: `${FIELD}.shares` });
  }
  const burstWrite: Write | undefined =
    burst === undefined
      ? undefined
      : { file: 'cpu.max.burst', value: decimal(burst), field: `${FIELD}.burst` };
  if (quota !== 0 || period !== 0) {
    // The kernel wants burst <= quota after each write. Which order keeps to that depends on what is there, so the
    // burst is tried before the quota as well.
    if (burstWrite !== undefined) writes.push({ ...burstWrite, tolerate: ['EINVAL'] });
    writes.push({ file: 'cpu.max', value: maxText(quota, period), field: maxField(quota) });
  }
  if (burstWrite !== undefined) writes.push(burstWrite);
  return writes;
}

function maxText(quota: number, period: number): string {
  return `${quota > 0 ? decimal(quota) : 'max'} ${decimal(period === 0 ? DEFAULT_PERIOD : period)}`;
}

function maxField(quota: number): string {
  return quota === 0 ? `${FIELD}.period` : `${FIELD}.quota`;
}

function refuseRealtime({ realtimeRuntime = 0, realtimePeriod = 0 }: LinuxCPU): void {
  if (realtimeRuntime === 0 && realtimePeriod === 0) return;
  const field = `${FIELD}.${realtimeRuntime !== 0 ? 'realtimeRuntime' : 'realtimePeriod'}`;
  throw refuse(
    field,
    'only cgroup v1 has this, not v2',
    'remove it; process.scheduler sets a realtime policy',
  );
}
