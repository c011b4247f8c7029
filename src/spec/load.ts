/**
 * A bundle's config.json, read and validated.
 *
 * @module
 */

import { errnoOf, RuntsError } from '../errors.ts';
import { noteExactIntegers } from './integers.ts';
import { type JsonDocument, readJsonFile, readJsonFileOrPipe } from './json-file.ts';
import type { Process, Spec } from './types.ts';
import { validateProcessObject, validateSpec, withoutNulls } from './validate.ts';
import { invalid, type Violation } from './violations.ts';

/** Name of the file within the bundle (bundle.md). */
export const CONFIG_NAME = 'config.json';

/** A config that was read but may be invalid. */
export interface LoadedConfig {
  /** A {@link Spec} when there are no violations. */
  value: unknown;
  violations: Violation[];
}

/**
 * Reads `<bundleDir>/config.json` and validates it.
 *
 * @throws RuntsError E_CONFIG_MISSING, E_CONFIG_READ (unreadable, too large), E_CONFIG_SYNTAX (not UTF-8, not JSON) or
 * E_CONFIG_INVALID with every violation.
 */
export function loadSpec(bundleDir: string): Spec {
  const { value, violations } = readConfig(bundleDir);
  if (violations.length > 0) throw invalid(CONFIG_NAME, violations);
  return value as Spec;
}

/** As {@link loadSpec}, but returns violations. */
export function readConfig(bundleDir: string): LoadedConfig {
  const document = readBundleFile(bundleDir);
  const { value, options } = prepared(document);
  const violations = validateSpec(value, options);
  if (violations.length === 0) noteExactIntegers(value as Spec, document.text);
  return { value, violations };
}

/** Reads and validates a process object, for `exec --process`. Errors as of {@link loadSpec}. */
export function loadProcess(path: string): Process {
  const what = 'process file';
  let document: JsonDocument;
  try {
    document = readJsonFileOrPipe(path, what);
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOENT') throw cause;
    throw new RuntsError('E_CONFIG_MISSING', `${what} not found: ${JSON.stringify(path)}`, {
      errno: 'ENOENT',
      cause,
    });
  }
  const { value, options } = prepared(document);
  const violations = validateProcessObject(value, options);
  if (violations.length > 0) throw invalid(what, violations);
  return value as Process;
}

/**
 * The container's process, which a config may lack until `start` (config.md, Process).
 *
 * @throws RuntsError E_CONFIG_INVALID
 */
export function requireProcess(spec: Spec): Process {
  if (spec.process !== undefined) return spec.process;
  throw new RuntsError('E_CONFIG_INVALID', 'process property must not be empty', { field: 'process' });
}

function readBundleFile(bundleDir: string): JsonDocument {
  const path = `${bundleDir}/${CONFIG_NAME}`;
  try {
    return readJsonFile(path, CONFIG_NAME);
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOENT' || cause instanceof RuntsError) throw cause;
    // runc's text, which callers match.
    const message = `JSON specification file ${CONFIG_NAME} not found`;
    const hint = `no ${JSON.stringify(path)}: give the bundle's folder with --bundle, or write a config with "spec"`;
    throw new RuntsError('E_CONFIG_MISSING', message, { errno: 'ENOENT', hint, cause });
  }
}

/** What the text tells about the value: most configs hold neither null nor NUL, and need no walk to find out. */
function prepared({ value, text }: JsonDocument): { value: unknown; options: { mayHoldNul: boolean } } {
  return {
    value: text.includes('null') && /:\s*null\b/.test(text) ? withoutNulls(value) : value,
    options: { mayHoldNul: text.includes('\\u0000') },
  };
}
