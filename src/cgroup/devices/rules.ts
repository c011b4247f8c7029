/**
 * The device rules of a container: `linux.resources.devices`, and what every runtime allows besides.
 *
 * @see config-linux.md, Allowed Device list
 * @module
 */

import type { LinuxDeviceCgroup } from '../../spec/types.ts';

/** Kinds of access, with the kernel's numbers: BPF_DEVCG_ACC_* in linux/bpf.h. */
export const ACCESS = { m: 1, r: 2, w: 4 } as const;
const ALL = ACCESS.m | ACCESS.r | ACCESS.w;

/** One rule. The last rule that matches a device decides, for each kind of access on its own. */
export interface DeviceRule {
  allow: boolean;
  type: 'a' | 'b' | 'c';
  /** null is any. */
  major: number | null;
  minor: number | null;
  /** A set of {@link ACCESS}. */
  access: number;
}

const allow = (type: 'b' | 'c', major: number | null, minor: number | null, access: number): DeviceRule => ({
  allow: true,
  type,
  major,
  minor,
  access,
});

/**
 * Appended to every list, so that they win: making device nodes, which gives no access to the device, and the
 * devices that the runtime itself puts into every container, with the terminals. The list is runc's and crun's.
 */
const DEFAULTS: readonly DeviceRule[] = [
  allow('c', null, null, ACCESS.m),
  allow('b', null, null, ACCESS.m),
  allow('c', 1, 3, ALL), // /dev/null
  allow('c', 1, 8, ALL), // /dev/random
  allow('c', 1, 7, ALL), // /dev/full
  allow('c', 5, 0, ALL), // /dev/tty
  allow('c', 1, 5, ALL), // /dev/zero
  allow('c', 1, 9, ALL), // /dev/urandom
  allow('c', 5, 1, ALL), // /dev/console
  allow('c', 136, null, ALL), // /dev/pts/*
  allow('c', 5, 2, ALL), // /dev/ptmx
  allow('c', 10, 200, ALL), // /dev/net/tun
];

/** No device has a greater number, neither part of it. */
const UINT32_MAX = 0xffffffff;

/**
 * The rules in force for a config's list, in order; undefined when they allow everything, so that no program is
 * needed. Rules that can't have an effect are left out.
 *
 * What no rule matches is denied: a list names what a container may use. (A list that begins with a rule for all
 * devices, as engines write it, leaves nothing to that.)
 *
 * @param configured `linux.resources.devices`; an empty list is no restriction, as an absent one
 */
export function deviceRules(configured: readonly LinuxDeviceCgroup[]): DeviceRule[] | undefined {
  if (configured.length === 0) return undefined;
  const rules = [...configured.map(parse), ...DEFAULTS].filter(canMatch);
  const last = rules.findLastIndex(matchesAll);
  const effective = last < 0 ? rules : rules.slice(last);
  if (last >= 0 && effective.every((rule) => rule.allow)) return undefined;
  return effective;
}

/** Whether the rule decides for every device and every access, so that nothing before it counts. */
export function matchesAll({ type, major, minor, access }: DeviceRule): boolean {
  return type === 'a' && major === null && minor === null && access === ALL;
}

/** Unset numbers and types mean all; so does -1, which is how Go programs write it. */
function parse({ allow, type, major, minor, access }: LinuxDeviceCgroup): DeviceRule {
  return {
    allow,
    type: type || 'a',
    major: major === undefined || major < 0 ? null : major,
    minor: minor === undefined || minor < 0 ? null : minor,
    access: accessBits(access),
  };
}

/** An empty or absent access means all kinds, as with every unset field of a rule. */
function accessBits(letters: string | undefined): number {
  if (!letters) return ALL;
  let bits = 0;
  for (const letter of letters) bits |= ACCESS[letter as keyof typeof ACCESS] ?? 0;
  return bits;
}

/** A set of {@link ACCESS} as a config writes it: `rwm`. */
export function accessLetters(access: number): string {
  return (['r', 'w', 'm'] as const).filter((letter) => (access & ACCESS[letter]) !== 0).join('');
}

function canMatch({ major, minor }: DeviceRule): boolean {
  return (major ?? 0) <= UINT32_MAX && (minor ?? 0) <= UINT32_MAX;
}
