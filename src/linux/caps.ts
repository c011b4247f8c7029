/**
 * Capabilities by name, and sets of them as the kernel takes them: two 32-bit words, so that no BigInt is needed.
 *
 * @see capabilities(7), capset(2)
 * @module
 */

import { CAP } from '../../ffi/constants/capability.ts';

/** A set of capabilities: bit n of `low` is capability n, of `high` capability 32 + n. Both are unsigned. */
export interface CapabilityMask {
  low: number;
  high: number;
}

/** A set made from names. */
export interface ParsedCapabilities {
  mask: CapabilityMask;
  /** Names that are no capability, or one that this kernel doesn't have. They are left out of the mask. */
  unknown: string[];
}

/** The greatest capability number that this program has a name for. */
export const LAST_KNOWN_CAPABILITY: number = Math.max(...Object.values(CAP));

/** The number of a capability by its name in a config, `CAP_CHOWN`; undefined for anything else. */
export function capabilityNumber(name: string): number | undefined {
  const short = name.startsWith('CAP_') ? name.slice('CAP_'.length) : '';
  return Object.hasOwn(CAP, short) ? CAP[short as keyof typeof CAP] : undefined;
}

/** The name of a capability, `CAP_CHOWN`; one without a name is `CAP_41`. */
export function capabilityName(number: number): string {
  const name = Object.entries(CAP).find(([, other]) => other === number)?.[0];
  return `CAP_${name ?? number}`;
}

/** The names of all capabilities up to `last`, in the order of their numbers. */
export function capabilityNames(last: number = LAST_KNOWN_CAPABILITY): string[] {
  return Object.entries(CAP)
    .filter(([, number]) => number <= last)
    .sort(([, a], [, b]) => a - b)
    .map(([name]) => `CAP_${name}`);
}

/**
 * Makes a set.
 *
 * @param names - as in a config; absent is the empty set
 * @param last - the greatest capability number of the kernel, /proc/sys/kernel/cap_last_cap
 */
export function parseCapabilities(
  names: readonly string[] | undefined,
  last: number = LAST_KNOWN_CAPABILITY,
): ParsedCapabilities {
  const mask = { low: 0, high: 0 };
  const unknown: string[] = [];
  for (const name of names ?? []) {
    const number = capabilityNumber(name);
    if (number === undefined || number > last) unknown.push(name);
    else if (number < 32) mask.low = (mask.low | (1 << number)) >>> 0;
    else mask.high = (mask.high | (1 << (number - 32))) >>> 0;
  }
  return { mask, unknown };
}

/** Whether a set has a capability. */
export function hasCapability(mask: CapabilityMask, number: number): boolean {
  const word = number < 32 ? mask.low : mask.high;
  return ((word >>> (number & 31)) & 1) === 1;
}

/** The text of /proc/sys/kernel/cap_last_cap as a number; what this program knows where it makes no sense. */
export function parseLastCapability(text: string): number {
  const number = /^\d{1,2}\s*$/.test(text) ? Number.parseInt(text, 10) : Number.NaN;
  return number < 64 ? number : LAST_KNOWN_CAPABILITY;
}
