/**
 * What is wrong with a config: one record for each place, and the error made of them.
 *
 * @module
 */

import { RuntsError } from '../errors.ts';

/** A place where a config violates the specification. */
export interface Violation {
  /** Path of the field, e.g. `linux.namespaces[2].type`; empty for the whole. */
  path: string;
  /** What stands there as JSON, shortened; `nothing` when it is absent. */
  found: string;
  /** What is allowed there, in words. */
  allowed: string;
  /** The whole in one line, beginning with the path. */
  message: string;
  /** `schema`, or the name of the check that found it. */
  check: string;
  /** Section of the specification, where a check found it. */
  spec?: string;
}

/** Violations that an error's message lists; the rest is counted. */
const LISTED = 20;
const FOUND_LENGTH = 60;

/** The path of what stands below another: `mounts[1]`, `linux.sysctl["net.core.somaxconn"]`. */
export function childPath(parent: string, key: string | number): string {
  if (typeof key === 'number') return `${parent}[${key}]`;
  if (/^[A-Za-z_$][\w$]*$/.test(key)) return parent === '' ? key : `${parent}.${key}`;
  return `${parent}[${JSON.stringify(key.length > FOUND_LENGTH ? `${key.slice(0, FOUND_LENGTH)}...` : key)}]`;
}

/** The path of a list of keys from the root. */
export function displayPath(keys: readonly (string | number)[]): string {
  return keys.reduce<string>(childPath, '');
}

/** A value as a message shows it: JSON, shortened. */
export function displayValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'object' && value !== null) {
    if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : 'an array';
    return Object.keys(value).length === 0 ? 'an empty object' : 'an object';
  }
  if (typeof value === 'bigint') return String(value);
  const text = typeof value === 'string' ? value.slice(0, FOUND_LENGTH + 1) : value;
  const json = JSON.stringify(text) ?? String(value);
  return json.length > FOUND_LENGTH ? `${json.slice(0, FOUND_LENGTH)}..."` : json;
}

/** A violation with the usual message. */
export function violation(path: string, found: unknown, allowed: string, check: string): Violation {
  const shown = displayValue(found);
  const message = `${path === '' ? '' : `${path}: `}expected ${allowed}, found ${shown}`;
  return { path, found: shown, allowed, message, check };
}

/** The one error for all violations; `what` names the file. `violations` must not be empty. */
export function invalid(what: string, violations: readonly Violation[]): RuntsError {
  const listed = violations.slice(0, LISTED).map(({ message }) => message);
  if (violations.length > LISTED) listed.push(`and ${violations.length - LISTED} more`);
  const count = violations.length === 1 ? '' : ` (${violations.length} errors)`;
  return new RuntsError('E_CONFIG_INVALID', `${what} is invalid${count}: ${listed.join('; ')}`, {
    field: violations[0]?.path,
  });
}
