/**
 * Is this value a config of runtime-spec 1.3.0? The schema first, then the checks that a schema can't express.
 *
 * @module
 */

import type { Failure } from '../../schemas/generated/validate.mjs';
import { validateConfig, validateProcess, validateResources } from '../../schemas/generated/validate.mjs';
import { CHECKS } from './checks/index.ts';
import { nulInStrings } from './checks/strings.ts';
import type { Check, Finding } from './checks/types.ts';
import { MAX_DEPTH } from './json-file.ts';
import type { LinuxResources, Process, Spec } from './types.ts';
import { displayPath, type Violation, violation } from './violations.ts';

/** Hints that spare work. */
export interface ValidateOptions {
  /** False when the caller knows that no string holds a NUL, e.g. because the JSON text has no `\u0000`. */
  mayHoldNul?: boolean;
}

/** Every violation of a value that should be a config.json; none means that it is a {@link Spec}. */
export function validateSpec(spec: unknown, options: ValidateOptions = {}): Violation[] {
  return validate(spec, validateConfig, (value, failed) => runChecks(CHECKS, value as Spec, failed), options);
}

/** Every violation of a value that should be a process object, as `exec --process` reads it. */
export function validateProcessObject(process: unknown, options: ValidateOptions = {}): Violation[] {
  const wrap = (value: unknown): Spec => ({ ociVersion: '', process: value as Process });
  return validatePart('process', process, validateProcess, wrap, options);
}

/** Every violation of a value that should be a resources object, as `update --resources` reads it. */
export function validateResourcesObject(resources: unknown, options: ValidateOptions = {}): Violation[] {
  const wrap = (value: unknown): Spec => ({ ociVersion: '', linux: { resources: value as LinuxResources } });
  return validatePart('linux.resources', resources, validateResources, wrap, options);
}

/** Every violation of a value that should be the `mounts` of a config, as `mounts add` reads it. */
export function validateMounts(mounts: unknown): Violation[] {
  const checks = CHECKS.filter(({ reads }) => reads.every((path) => path.startsWith('mounts')));
  const spec = { ociVersion: '1.0.0', mounts };
  return validate(spec, validateConfig, (value, failed) => runChecks(checks, value as Spec, failed), {});
}

/** Validates what stands at `place` in a config: with the checks that read nothing else, and with paths from there. */
function validatePart(
  place: string,
  part: unknown,
  validator: Validator,
  wrap: (value: unknown) => Spec,
  options: ValidateOptions,
): Violation[] {
  const checks = CHECKS.filter(({ reads }) => reads.every((path) => path.startsWith(place)));
  const outer = (path: string): string => place + (path === '' || path.startsWith('[') ? '' : '.') + path;
  const inner = (text: string): string => text.replace(place, '').replace(/^\./, '');
  const check = (value: unknown, failed: string[]): Violation[] =>
    runChecks(checks, wrap(value), failed.map(outer)).map((found) => ({
      ...found,
      path: inner(found.path),
      message: inner(found.message),
    }));
  return validate(part, validator, check, options);
}

/**
 * A copy without properties that are null. Go's JSON reads null as "not set", and its programs write it: so null is
 * taken as absent. Null in an array stays, and violates the schema.
 */
export function withoutNulls(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return value;
  if (Array.isArray(value)) return value.map((item) => withoutNulls(item, depth + 1));
  const entries = Object.entries(value).filter(([, item]) => item !== null);
  return Object.fromEntries(entries.map(([key, item]) => [key, withoutNulls(item, depth + 1)]));
}

type Validator = (data: unknown) => Failure[];
type RunChecks = (value: unknown, failedPaths: string[]) => Violation[];

function validate(
  data: unknown,
  validator: Validator,
  check: RunChecks,
  options: ValidateOptions,
): Violation[] {
  const failures = validator(data);
  const violations = failures.length === 0 ? check(data, []) : explain(data, failures, validator, check);
  if (options.mayHoldNul !== false) violations.push(...nulInStrings(data));
  return violations;
}

/** Apart from {@link validate}, so that a valid config doesn't pay for it. */
function explain(data: unknown, failures: Failure[], validator: Validator, check: RunChecks): Violation[] {
  const hasNulls = failures.some(({ path }) => at(data, keysOf(path)) === null);
  const value = hasNulls ? withoutNulls(data) : data;
  const violations = schemaViolations(value, hasNulls ? validator(value) : failures);
  return [
    ...violations,
    ...check(
      value,
      violations.map(({ path }) => path),
    ),
  ];
}

/** One for each path: of the failures of a field, the last is the most precise (an enum after its type). */
function schemaViolations(value: unknown, failures: Failure[]): Violation[] {
  const byPath = new Map<string, Violation>();
  for (const { path, allowed } of failures) {
    const keys = keysOf(path);
    const shown: (string | number)[] = [];
    let parent: unknown = value;
    for (const key of keys) {
      shown.push(Array.isArray(parent) ? Number(key) : key);
      parent = at(parent, [key]);
    }
    const where = displayPath(shown);
    byPath.set(where, violation(where, parent, allowed, 'schema'));
  }
  return [...byPath.values()];
}

/** The keys of a JSON pointer (RFC 6901). */
function keysOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function at(value: unknown, keys: string[]): unknown {
  let found = value;
  for (const key of keys) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return found;
}

/** Runs the checks that read nothing of what the schema has refused: the rest of the spec is as its types say. */
function runChecks(checks: readonly Check[], spec: Spec, failed: readonly string[]): Violation[] {
  const violations: Violation[] = [];
  for (const check of checks) {
    if (failed.length > 0 && readsAny(check, failed)) continue;
    check.check(spec, (finding) => violations.push(violationOf(check, finding)));
  }
  return violations;
}

function readsAny({ reads }: Check, failed: readonly string[]): boolean {
  return reads.some((path) => failed.some((other) => overlaps(path, other)));
}

function violationOf(check: Check, { path, found, allowed, text }: Finding): Violation {
  const usual = violation(path, found, allowed, check.name);
  return { ...usual, ...(text !== undefined && { message: `${path}: ${text}` }), spec: check.spec };
}

/** Whether one of two paths lies within the other. */
function overlaps(one: string, other: string): boolean {
  const [short, long] = one.length < other.length ? [one, other] : [other, one];
  return (
    long.startsWith(short) &&
    (long.length === short.length || short === '' || /[.[]/.test(long[short.length] ?? ''))
  );
}
