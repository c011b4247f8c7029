/**
 * `linux.resources.memory`: memory.max, memory.low and memory.swap.max.
 *
 * @see config-linux.md, Memory; cgroup-v2.rst, Memory Interface Files
 * @module
 */

import type { LinuxMemory } from '../../spec/types.ts';
import { decimal, invalid, limitText, refuse, type Write } from '../write.ts';

const FIELD = 'linux.resources.memory';

/**
 * The writes for memory limits. 0 and absent leave a file as it is, -1 means no limit.
 *
 * The config's `swap` is memory and swap together, as cgroup v1 had it; v2 limits swap alone, so the difference is
 * written. It goes first: when both limits fall, what the smaller memory.max displaces must not fill the old swap.
 *
 * Ignored, with a warning by src/spec: `kernel` and `kernelTCP`. v2 accounts kernel memory within memory.max.
 *
 * @throws RuntsError E_CONFIG_INVALID for contradictory limits; E_UNSUPPORTED for what only cgroup v1 has
 */
export function memory(limits: LinuxMemory): Write[] {
  refuseVersion1(limits);
  const { limit = 0, reservation = 0 } = limits;
  const writes: Write[] = [];
  const swap = swapMax(limits);
  if (swap !== undefined) {
    // Without swap accounting there is no such file, and no swap to forbid.
    const tolerate = swap === '0' || swap === 'max' ? ['ENOENT'] : undefined;
    writes.push({ file: 'memory.swap.max', value: swap, field: `${FIELD}.swap`, tolerate });
  }
  if (limit !== 0) {
    writes.push({ file: 'memory.max', value: limitText(limit, `${FIELD}.limit`), field: `${FIELD}.limit` });
  }
  if (reservation !== 0) {
    const field = `${FIELD}.reservation`;
    writes.push({ file: 'memory.low', value: limitText(reservation, field), field });
  }
  return writes;
}

/** The text for memory.swap.max; undefined leaves it as it is. */
function swapMax({ limit = 0, swap = 0 }: LinuxMemory): string | undefined {
  const field = `${FIELD}.swap`;
  // Unlimited memory with limited swap has no use; v1 did not allow it, so callers rely on this.
  if (swap === 0) return limit === -1 ? 'max' : undefined;
  if (swap === -1) return 'max';
  if (swap < 0) throw invalid(field, swap, 'negative', '-1 means no limit');
  if (limit <= 0) {
    throw invalid(field, swap, 'unable to set swap limit without memory limit', 'set memory.limit too');
  }
  if (swap < limit) {
    throw invalid(field, swap, 'memory+swap limit should be >= memory limit', `the limit is ${limit}`);
  }
  return decimal(swap - limit);
}

function refuseVersion1({ swappiness, disableOOMKiller, useHierarchy }: LinuxMemory): void {
  const only = 'only cgroup v1 has this, not v2';
  if (swappiness !== undefined) {
    throw refuse(`${FIELD}.swappiness`, only, 'set the sysctl vm.swappiness of the host, or memory.swap');
  }
  if (disableOOMKiller === true) {
    throw refuse(
      `${FIELD}.disableOOMKiller`,
      only,
      'set process.oomScoreAdj to -1000, or memory.high in unified',
    );
  }
  if (useHierarchy === false) {
    throw refuse(
      `${FIELD}.useHierarchy`,
      'cgroup v2 is always hierarchical',
      'leave it out or set it to true',
    );
  }
}
