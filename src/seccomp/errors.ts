/**
 * The one shape of an error about a profile.
 *
 * @module
 */

import { RuntsError } from '../errors.ts';

/** The config field that all of this is about. */
export const FIELD = 'linux.seccomp';

export function invalid(field: string, problem: string, hint?: string): RuntsError {
  return new RuntsError('E_CONFIG_INVALID', `${field}: ${problem}`, { field, hint });
}
