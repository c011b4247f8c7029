/**
 * Helpers for the tests of configs.
 *
 * @module
 */

import assert from 'node:assert/strict';
import { RuntsError } from '../errors.ts';
import { smallSpec } from './samples.ts';
import type { Spec } from './types.ts';
import { validateSpec } from './validate.ts';

/** A small valid spec after a change; properties may get any value. */
// biome-ignore lint/suspicious/noExplicitAny: tests put wrong types into specs
export function changed(change: (spec: any) => void, base: () => Spec = smallSpec): unknown {
  const spec = structuredClone(base());
  change(spec);
  return spec;
}

/** Asserts the paths of all violations, in their order. */
export function assertViolations(spec: unknown, ...paths: string[]): void {
  const violations = validateSpec(spec);
  assert.deepEqual(
    violations.map(({ path }) => path),
    paths,
    JSON.stringify(violations, null, 1),
  );
}

/** The RuntsError that a function throws; fails when it throws nothing or something else. */
export function runtsError(run: () => unknown): RuntsError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof RuntsError, `not a RuntsError: ${error}`);
    assert.ok(!/[\n\r]/.test(error.message), `more than one line: ${error.message}`);
    return error;
  }
  return assert.fail('nothing was thrown');
}
