/**
 * How a command of the runtime failed.
 *
 * @module
 */

import assert from 'node:assert/strict';
import type { Result } from '../harness/index.ts';

/** Global options with which {@link failureOf} understands a command's standard error. */
export const JSON_LOG = ['--log-format', 'json'] as const;

export interface Failure {
  /** The exit code. */
  exit: number;
  /** The stable code of the error. */
  code: string;
  msg: string;
}

/** The one line that a failing command leaves: logrus's JSON, and nothing else. */
export function failureOf({ code, stderr }: Result): Failure {
  const lines = stderr.split('\n');
  assert.equal(lines.length, 2, `one line, not: ${stderr}`);
  assert.equal(lines[1], '');
  const line = JSON.parse(lines[0]!) as Record<string, string>;
  assert.deepEqual(Object.keys(line), ['level', 'msg', 'time', 'code']);
  assert.equal(line.level, 'error');
  assert.match(line.time!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  return { exit: code, code: line.code!, msg: line.msg! };
}
