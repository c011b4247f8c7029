/**
 * The properties of a container's scope: what systemd must know, so that it neither undoes the limits nor reports
 * others. Pure.
 *
 * systemd writes the cgroup's files from its properties, also later (`systemctl daemon-reload`), so every limit that
 * has a property goes there too, besides the file.
 *
 * @see systemd.resource-control(5); org.freedesktop.systemd1(5)
 * @module
 */

import { RuntsError } from '../../errors.ts';
import { accessLetters, type DeviceRule, matchesAll } from '../devices/rules.ts';
import type { Write } from '../write.ts';
import { type Content, type Property, parseValue } from './values.ts';

const INFINITY = 2n ** 64n - 1n;

const property = (name: string, type: string, value: Content): Property => ({ name, type, value });

/** What makes a scope for one process, before any limits. All accounting is on: statistics want every controller. */
export function scopeProperties(
  { slice }: { slice: string },
  description: string,
  pid: number,
  annotations: Readonly<Record<string, string>>,
): Property[] {
  return [
    property('Description', 's', description),
    property('Slice', 's', slice),
    property('Delegate', 'b', true),
    property('PIDs', 'au', [pid]),
    property('MemoryAccounting', 'b', true),
    property('CPUAccounting', 'b', true),
    property('IOAccounting', 'b', true),
    property('TasksAccounting', 'b', true),
    // Not stopped with the targets of a shutdown, before the engine could do it.
    property('DefaultDependencies', 'b', false),
    ...annotatedProperties(annotations),
  ];
}

const ANNOTATION = 'org.systemd.property.';

/**
 * Properties that the caller gives as annotations: `org.systemd.property.TimeoutStopUSec` with a value in the
 * GVariant text format. A name that ends in `Sec` (not `USec`) has its value in seconds.
 *
 * @throws RuntsError E_CONFIG_INVALID
 */
export function annotatedProperties(annotations: Readonly<Record<string, string>>): Property[] {
  return Object.entries(annotations).flatMap(([key, text]) => {
    if (!key.startsWith(ANNOTATION)) return [];
    const name = key.slice(ANNOTATION.length);
    const value = parseValue(text);
    if (!/^[A-Z][A-Za-z]{2,}$/.test(name) || value === undefined) {
      const what = value === undefined ? `${JSON.stringify(text)} is no value` : `${name} is no property`;
      const field = `annotations[${JSON.stringify(key)}]`;
      throw new RuntsError('E_CONFIG_INVALID', `${field}: ${what}`, {
        field,
        hint: `e.g. "${ANNOTATION}TimeoutStopUSec": "uint64 5000000", "${ANNOTATION}CollectMode": "'inactive'"`,
      });
    }
    if (!/Sec$/.test(name) || /USec$/.test(name)) return [{ name, ...value }];
    const seconds = Number(value.value);
    return [property(name.replace(/Sec$/, 'USec'), 't', BigInt(Math.round(seconds * 1e6)))];
  });
}

/** File of a cgroup, property, and the systemd that has it since. */
const AMOUNTS: Readonly<Record<string, readonly [name: string, since: number]>> = {
  'memory.max': ['MemoryMax', 231],
  'memory.high': ['MemoryHigh', 231],
  'memory.low': ['MemoryLow', 231],
  'memory.min': ['MemoryMin', 240],
  'memory.swap.max': ['MemorySwapMax', 232],
  'pids.max': ['TasksMax', 227],
  'cpu.weight': ['CPUWeight', 232],
  'io.weight': ['IOWeight', 230],
};

const SETS: Readonly<Record<string, string>> = {
  'cpuset.cpus': 'AllowedCPUs',
  'cpuset.mems': 'AllowedMemoryNodes',
};

/**
 * The properties for limits. What has none, or not in this version, is written into its file alone.
 *
 * @param writes from limitWrites(); of two for the same file the later counts
 * @param version of systemd; a function, as asking costs a call
 */
export function limitProperties(writes: readonly Write[], version: () => number): Property[] {
  const values = new Map<string, string>();
  for (const write of writes) {
    // systemd knows weights on the scale of io.weight and converts them for BFQ itself.
    const { file, value } = write.otherwise ?? write;
    if (file !== 'io.weight' || !value.includes(':')) values.set(file, value);
  }
  return [...values].flatMap(([file, text]): Property[] => {
    const amount = AMOUNTS[file];
    if (amount !== undefined) {
      const [name, since] = amount;
      const value = text === 'max' ? INFINITY : parseAmount(text);
      return value === undefined || (since > 232 && version() < since) ? [] : [property(name, 't', value)];
    }
    if (file === 'cpu.max') return quotaProperties(text, version);
    // A weight of 0 is systemd's word for idle.
    if (file === 'cpu.idle') return text === '1' && version() >= 252 ? [property('CPUWeight', 't', 0n)] : [];
    if (file === 'memory.oom.group') {
      return version() >= 253 ? [property('OOMPolicy', 's', text === '1' ? 'kill' : 'continue')] : [];
    }
    const name = SETS[file];
    const bits = name === undefined ? undefined : bitmask(text);
    if (name === undefined || bits === undefined || version() < 244) return [];
    return [property(name, 'ay', bits)];
  });
}

/** A number; for weights `default 100` is one too. */
function parseAmount(text: string): bigint | undefined {
  const [, digits] = /^(?:default )?(\d+)$/.exec(text) ?? [];
  return digits === undefined ? undefined : BigInt(digits);
}

/** cpu.max, `QUOTA PERIOD`: systemd has microseconds in each second, in whole hundredths. */
function quotaProperties(text: string, version: () => number): Property[] {
  const [, quota, period = '100000'] = /^(max|\d+)(?: (\d+))?$/.exec(text) ?? [];
  if (quota === undefined) return [];
  let perSecond = INFINITY;
  if (quota !== 'max') {
    const exact = (BigInt(quota) * 1_000_000n) / BigInt(period);
    perSecond = ((exact + 9_999n) / 10_000n) * 10_000n;
  }
  const properties = [property('CPUQuotaPerSecUSec', 't', perSecond)];
  if (version() >= 242) properties.push(property('CPUQuotaPeriodUSec', 't', BigInt(period)));
  return properties;
}

/** A list such as `0-3,7` as bytes, the lowest bit first; undefined for another form. An empty list resets. */
export function bitmask(list: string): number[] | undefined {
  const bytes: number[] = [];
  for (const part of list.split(',').filter((range) => range.trim() !== '')) {
    const [, from, to = from] = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(part) ?? [];
    if (from === undefined) return undefined;
    for (let bit = Number(from); bit <= Number(to); bit++) {
      while (bytes.length <= bit >> 3) bytes.push(0);
      bytes[bit >> 3]! |= 1 << (bit & 7);
    }
  }
  return bytes;
}

/**
 * The properties for device rules. systemd attaches a program of its own, beside the container's; both must allow.
 * So it gets everything that the rules allow, and what they deny after that is left to the container's own program.
 * Rules that can't be said in systemd's words leave all of it to that program.
 *
 * @param rules from deviceRules()
 * @param procDevices text of /proc/devices, by which systemd names drivers
 */
export function deviceProperties(rules: readonly DeviceRule[] | undefined, procDevices: string): Property[] {
  const allowed = rules === undefined ? undefined : deviceAllow(rules, procDevices);
  const reset = property('DeviceAllow', 'a(ss)', []);
  if (allowed === undefined) return [property('DevicePolicy', 's', 'auto'), reset];
  return [property('DevicePolicy', 's', 'strict'), reset, property('DeviceAllow', 'a(ss)', allowed)];
}

function deviceAllow(rules: readonly DeviceRule[], procDevices: string): [string, string][] | undefined {
  const entries: [string, string][] = [];
  for (const rule of rules) {
    if (!rule.allow) continue;
    if (matchesAll(rule)) return undefined;
    for (const type of rule.type === 'a' ? (['b', 'c'] as const) : [rule.type]) {
      const names = deviceNames(type, rule, procDevices);
      if (names === undefined) return undefined;
      for (const name of names) entries.push([name, accessLetters(rule.access)]);
    }
  }
  return entries;
}

/** What DeviceAllow= calls the devices of a rule: a node by its number, or the driver that has the major number. */
function deviceNames(
  type: 'b' | 'c',
  { major, minor }: DeviceRule,
  procDevices: string,
): string[] | undefined {
  const kind = type === 'b' ? 'block' : 'char';
  if (major !== null && minor !== null) return [`/dev/${kind}/${major}:${minor}`];
  if (major === null) return minor === null ? [`${kind}-*`] : undefined;
  const section = procDevices.split(/^Block devices:$/m)[type === 'b' ? 1 : 0] ?? '';
  const names = [...section.matchAll(/^ *(\d+) (.+)$/gm)].filter((match) => Number(match[1]) === major);
  return names.length === 0 ? undefined : [`${kind}-${names[0]![2]}`];
}
