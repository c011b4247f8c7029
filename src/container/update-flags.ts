/**
 * The flags of `update` as the resources object that they mean.
 *
 * @module
 */

import type { FlagValue } from '../cli/types.ts';
import { RuntsError } from '../errors.ts';
import type { LinuxResources } from '../spec/types.ts';

type Flags = Readonly<Record<string, FlagValue>>;

const UNITS: Readonly<Record<string, number>> = {
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  p: 2 ** 50,
};

function text(flags: Flags, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function wrong(name: string, value: string, what: string): RuntsError {
  return new RuntsError('E_USAGE', `--${name}: ${JSON.stringify(value)} is no ${what}`, {
    hint:
      what === 'size'
        ? 'bytes, with k, m, g or t for multiples of 1024; -1 for no limit'
        : 'a decimal number',
  });
}

/** Bytes: `67108864`, `64m`, `64MB`, `64MiB`, `1.5g`; -1 for no limit. */
export function parseSize(name: string, value: string): number {
  if (value === '-1') return -1;
  const [, number = '', unit = 'b'] = /^([0-9]+(?:\.[0-9]+)?)\s*([bkmgtp])?(?:i?b)?$/i.exec(value) ?? [];
  const factor = UNITS[unit.toLowerCase()];
  if (number === '' || factor === undefined) throw wrong(name, value, 'size');
  const bytes = Math.trunc(Number(number) * factor);
  if (!Number.isSafeInteger(bytes)) throw wrong(name, value, 'size');
  return bytes;
}

function integer(flags: Flags, name: string): number | undefined {
  const value = text(flags, name);
  if (value === undefined) return undefined;
  if (!/^-?[0-9]{1,18}$/.test(value)) throw wrong(name, value, 'number');
  return Number(value);
}

function size(flags: Flags, name: string): number | undefined {
  const value = text(flags, name);
  return value === undefined ? undefined : parseSize(name, value);
}

/** An object of what is defined; undefined when nothing is. */
function defined<T extends object>(object: T): T | undefined {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as T);
}

/** What the flags change. Throws E_USAGE for values that are none. */
export function resourcesOfFlags(flags: Flags): LinuxResources {
  const pids = integer(flags, 'pids-limit');
  return (
    defined<LinuxResources>({
      cpu: defined({
        shares: integer(flags, 'cpu-share'),
        quota: integer(flags, 'cpu-quota'),
        burst: integer(flags, 'cpu-burst'),
        period: integer(flags, 'cpu-period'),
        realtimeRuntime: integer(flags, 'cpu-rt-runtime'),
        realtimePeriod: integer(flags, 'cpu-rt-period'),
        cpus: text(flags, 'cpuset-cpus'),
        mems: text(flags, 'cpuset-mems'),
        idle: integer(flags, 'cpu-idle'),
      }),
      memory: defined({
        limit: size(flags, 'memory'),
        reservation: size(flags, 'memory-reservation'),
        swap: size(flags, 'memory-swap'),
      }),
      pids: pids === undefined ? undefined : { limit: pids },
      blockIO: defined({ weight: integer(flags, 'blkio-weight') }),
    }) ?? {}
  );
}
