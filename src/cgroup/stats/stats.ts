/**
 * What a container has used, in the shape of runc's `events` (types/events.go), which engines decode.
 *
 * @module
 */

import { readdirSync, readFileSync } from '#files';
import { flatKeyed, NO_LIMIT, nestedKeyed, numberList, singleValue } from './parse.ts';
import { type Pressure, pressure } from './pressure.ts';

/** A count; beyond 2^53 a bigint. */
type Count = number | bigint;

export interface MemoryEntry {
  limit: Count;
  usage: Count;
  max: Count;
  failcnt: number;
}

export interface BlkioEntry {
  major: number;
  minor: number;
  op: 'Read' | 'Write';
  value: number;
}

/** Times in nanoseconds, sizes in bytes. */
export interface Stats {
  cpu: {
    usage: { total: number; kernel: number; user: number };
    throttling: { periods: number; throttledPeriods: number; throttledTime: number };
    psi?: Pressure;
  };
  cpuset: { cpus?: number[]; mems?: number[] };
  memory: {
    cache: number;
    usage: MemoryEntry;
    swap: MemoryEntry;
    kernel: MemoryEntry;
    kernelTCP: MemoryEntry;
    raw: Record<string, number>;
    psi?: Pressure;
  };
  pids: { current: number; limit: number };
  blkio: { ioServiceBytesRecursive: BlkioEntry[]; ioServicedRecursive: BlkioEntry[]; psi?: Pressure };
  hugetlb: Record<string, { usage: number; max: number; failcnt: number }>;
  intel_rdt: Record<string, never>;
  network_interfaces: null;
}

/** Reads one file of the cgroup; undefined when the controller isn't there. */
export type ReadFile = (name: string) => string | undefined;

/** Reads the files of a cgroup folder. */
export function readerOf(directory: string): ReadFile {
  return (name) => {
    try {
      return readFileSync(`${directory}/${name}`, 'latin1');
    } catch {
      return undefined;
    }
  };
}

/** The page sizes for which the cgroup has hugetlb files, e.g. `2MB`. */
export function hugePageSizes(directory: string): string[] {
  return readdirSync(directory)
    .map((name) => /^hugetlb\.([0-9]+[KMG]B)\.current$/.exec(name)?.[1])
    .filter((size) => size !== undefined);
}

/** Statistics from a cgroup's files. What a missing controller would say is zero. */
export function statsOf(read: ReadFile, pageSizes: readonly string[]): Stats {
  const memory = memoryStats(read);
  return {
    cpu: cpuStats(read),
    cpuset: {
      cpus: list(read('cpuset.cpus.effective')),
      mems: list(read('cpuset.mems.effective')),
    },
    memory,
    pids: { current: Number(read('pids.current') ?? 0), limit: limitOf(read('pids.max')) },
    blkio: ioStats(read),
    hugetlb: Object.fromEntries(pageSizes.map((size) => [size, hugetlbStats(read, size)])),
    intel_rdt: {},
    network_interfaces: null,
  };
}

function list(text: string | undefined): number[] | undefined {
  return text === undefined ? undefined : numberList(text);
}

/** As runc has it, no limit is 0 here. */
function limitOf(text: string | undefined): number {
  const value = singleValue(text ?? '0');
  return typeof value === 'bigint' ? 0 : value;
}

function cpuStats(read: ReadFile): Stats['cpu'] {
  const stat = flatKeyed(read('cpu.stat') ?? '');
  const nanoseconds = (key: string): number => (stat[key] ?? 0) * 1000;
  return {
    usage: {
      total: nanoseconds('usage_usec'),
      kernel: nanoseconds('system_usec'),
      user: nanoseconds('user_usec'),
    },
    throttling: {
      periods: stat.nr_periods ?? 0,
      throttledPeriods: stat.nr_throttled ?? 0,
      throttledTime: nanoseconds('throttled_usec'),
    },
    psi: pressure(read('cpu.pressure')),
  };
}

function memoryStats(read: ReadFile): Stats['memory'] {
  const raw = flatKeyed(read('memory.stat') ?? '');
  const events = flatKeyed(read('memory.events') ?? '');
  const entry = (prefix: string, failcnt: number): MemoryEntry => ({
    limit: singleValue(read(`${prefix}.max`) ?? '0'),
    usage: singleValue(read(`${prefix}.current`) ?? '0'),
    max: singleValue(read(`${prefix}.peak`) ?? '0'),
    failcnt,
  });
  const usage = entry('memory', events.max ?? 0);
  const none: MemoryEntry = { limit: 0, usage: 0, max: 0, failcnt: 0 };
  return {
    cache: raw.file ?? 0,
    usage,
    swap: withMemory(entry('memory.swap', 0), usage),
    kernel: { ...none, usage: raw.kernel ?? 0 },
    kernelTCP: none,
    raw,
    psi: pressure(read('memory.pressure')),
  };
}

/** Swap is told together with memory, as with cgroup v1: that is what readers of this format expect. */
function withMemory(swap: MemoryEntry, memory: MemoryEntry): MemoryEntry {
  const sum = (a: Count, b: Count): Count =>
    a === NO_LIMIT || b === NO_LIMIT ? NO_LIMIT : Number(a) + Number(b);
  return {
    limit: sum(swap.limit, memory.limit),
    usage: sum(swap.usage, memory.usage),
    max: sum(swap.max, memory.max),
    failcnt: swap.failcnt,
  };
}

function ioStats(read: ReadFile): Stats['blkio'] {
  const bytes: BlkioEntry[] = [];
  const operations: BlkioEntry[] = [];
  for (const [device, values] of nestedKeyed(read('io.stat') ?? '')) {
    const [major = 0, minor = 0] = device.split(':').map(Number);
    const add = (to: BlkioEntry[], op: BlkioEntry['op'], value: number | undefined): void => {
      if (value !== undefined) to.push({ major, minor, op, value });
    };
    add(bytes, 'Read', values.rbytes);
    add(bytes, 'Write', values.wbytes);
    add(operations, 'Read', values.rios);
    add(operations, 'Write', values.wios);
  }
  return {
    ioServiceBytesRecursive: bytes,
    ioServicedRecursive: operations,
    psi: pressure(read('io.pressure')),
  };
}

function hugetlbStats(read: ReadFile, size: string): Stats['hugetlb'][string] {
  const events = flatKeyed(read(`hugetlb.${size}.events`) ?? '');
  return { usage: limitOf(read(`hugetlb.${size}.current`)), max: 0, failcnt: events.max ?? 0 };
}
