/**
 * What is to be written into a cgroup: data, made by pure functions and printed by `runts plan`, carried out by
 * apply.ts.
 *
 * @module
 */

import { RuntsError } from '../errors.ts';
import { int64, uint64 } from '../spec/integers.ts';

/** One value for one file of the container's cgroup. */
export interface Write {
  /** Name of the file; what stands before the first dot names the controller. */
  file: string;
  value: string;
  /** Path of the config field that it comes from. */
  field: string;
  /** errno names that are no failure here. */
  tolerate?: readonly string[];
  /** Written in its place where the kernel has no such file. */
  otherwise?: { file: string; value: string };
}

/** The controller that a file belongs to; `cgroup` for the files of the core. */
export function controllerOf(file: string): string {
  return file.slice(0, file.indexOf('.'));
}

/** The controllers that these files belong to. */
export function controllersOf(writes: readonly Write[]): Set<string> {
  return new Set(writes.map(({ file }) => controllerOf(file)).filter((name) => name !== 'cgroup'));
}

/** Says what to do instead, for a field that cgroup v2 has nothing for. */
export function refuse(field: string, what: string, hint: string): RuntsError {
  return new RuntsError('E_UNSUPPORTED', `${field}: ${what}`, { field, hint });
}

/** A value that no cgroup can have. */
export function invalid(field: string, value: number, what: string, hint?: string): RuntsError {
  return new RuntsError('E_CONFIG_INVALID', `${field}: ${decimal(value)}: ${what}`, { field, hint });
}

/** A key of `unified` that names no file to write. */
export function invalidKey(field: string, message: string): RuntsError {
  return new RuntsError('E_CONFIG_INVALID', message, { field });
}

/** All digits of an integer: String() would write 2^63 - 4096 as 9223372036854772000. */
export function decimal(value: number): string {
  return (value < 0 ? int64(value) : uint64(value)).toString();
}

/** A limit in bytes as the kernel takes it: -1 is `max`. */
export function limitText(value: number, field: string): string {
  if (value === -1) return 'max';
  if (value < 0) throw invalid(field, value, 'negative', '-1 means no limit');
  return decimal(value);
}
