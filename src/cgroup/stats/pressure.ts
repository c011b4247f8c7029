/**
 * Pressure stall information of a cgroup; Documentation/accounting/psi.rst.
 *
 * @module
 */

import { nestedKeyed } from './parse.ts';

/** Shares of time in percent over 10, 60 and 300 s, and microseconds in all. */
export interface PressureLine {
  avg10: number;
  avg60: number;
  avg300: number;
  total: number;
}

export interface Pressure {
  some?: PressureLine;
  full?: PressureLine;
}

/** The text of a `*.pressure` file; undefined where the kernel keeps none. */
export function pressure(text: string | undefined): Pressure | undefined {
  if (text === undefined) return undefined;
  const result: Pressure = {};
  for (const [key, { avg10 = 0, avg60 = 0, avg300 = 0, total = 0 }] of nestedKeyed(text)) {
    if (key === 'some' || key === 'full') result[key] = { avg10, avg60, avg300, total };
  }
  return result;
}
