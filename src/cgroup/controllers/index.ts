/**
 * All limits of `linux.resources` as writes, in the order in which they are made. Pure.
 *
 * @module
 */

import type { LinuxNetwork, LinuxResources } from '../../spec/types.ts';
import { refuse, type Write } from '../write.ts';
import { cpu } from './cpu.ts';
import { cpuset } from './cpuset.ts';
import { hugetlb } from './hugetlb.ts';
import { io } from './io.ts';
import { memory } from './memory.ts';
import { pids } from './pids.ts';
import { rdma } from './rdma.ts';
import { unified } from './unified.ts';

/**
 * The writes for everything but `devices`, which is a program. `unified` goes last: it says what the other fields
 * can't, and wins.
 *
 * @throws RuntsError E_CONFIG_INVALID for a contradiction, E_UNSUPPORTED for what only cgroup v1 has
 */
export function limitWrites(resources: LinuxResources): Write[] {
  if (resources.network !== undefined) refuseNetwork(resources.network);
  return [
    ...memory(resources.memory ?? {}),
    ...cpu(resources.cpu ?? {}),
    ...cpuset(resources.cpu ?? {}),
    ...pids(resources.pids ?? {}),
    ...io(resources.blockIO ?? {}),
    ...hugetlb(resources.hugepageLimits ?? []),
    ...rdma(resources.rdma ?? {}),
    ...unified(resources.unified ?? {}),
  ];
}

function refuseNetwork({ classID = 0, priorities = [] }: LinuxNetwork): void {
  if (classID === 0 && priorities.length === 0) return;
  const field = `linux.resources.network.${classID !== 0 ? 'classID' : 'priorities'}`;
  throw refuse(field, 'only cgroup v1 has this, not v2', 'match the cgroup with iptables or an eBPF program');
}
