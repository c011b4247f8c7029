/**
 * Every check of the native side.
 *
 * @module
 */

import { CALL_CHECKS } from './call-checks.ts';
import type { Check } from './check.ts';
import { MATH_CHECKS } from './math-checks.ts';
import { SPAWN_CHECKS } from './spawn-checks.ts';
import { TAPE_CHECKS } from './tape-checks.ts';
import { WAIT_CHECKS } from './wait-checks.ts';

export const CHECKS: readonly Check[] = [
  ...CALL_CHECKS,
  ...MATH_CHECKS,
  ...SPAWN_CHECKS,
  ...TAPE_CHECKS,
  ...WAIT_CHECKS,
];
