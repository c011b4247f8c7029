/**
 * `linux.resources.hugepageLimits`: hugetlb.SIZE.max and hugetlb.SIZE.rsvd.max.
 *
 * @see config-linux.md, Huge page limits; cgroup-v2.rst, HugeTLB
 * @module
 */

import type { LinuxHugepageLimit } from '../../spec/types.ts';
import { decimal, type Write } from '../write.ts';

/**
 * The writes for each size of huge pages. The limit of reservations goes along with that of use: without it a
 * container that maps more than it may use is killed by SIGBUS when it touches a page, with it mmap(2) fails.
 */
export function hugetlb(limits: readonly LinuxHugepageLimit[]): Write[] {
  return limits.flatMap(({ pageSize, limit }, i): Write[] => {
    const field = `linux.resources.hugepageLimits[${i}]`;
    const value = decimal(limit);
    return [
      { file: `hugetlb.${pageSize}.max`, value, field },
      // since Linux 5.7
      { file: `hugetlb.${pageSize}.rsvd.max`, value, field, tolerate: ['ENOENT'] },
    ];
  });
}
