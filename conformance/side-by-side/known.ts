/**
 * Differences that are no bugs of runts, as found with runc 1.1.5 and crun 1.8.1. An entry that fits nothing any more is
 * out of date.
 *
 * @module
 */
import type { Known } from './compare.ts';

export const KNOWN: readonly Known[] = [];
