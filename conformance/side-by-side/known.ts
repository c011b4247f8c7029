/**
 * Differences that are no bugs of runts, as found with runc 1.1.5 and crun 1.8.1. Each is as narrow as can be, so that it
 * hides nothing else: one field of what the container sees, where possible only at the paths that the config names.
 *
 * @module
 */
import type { Known } from './compare.ts';
import { MOUNTS } from './known/mounts.ts';
import { PATHS } from './known/paths.ts';
import { PROCESSES } from './known/process.ts';

export const KNOWN: readonly Known[] = [...PATHS, ...MOUNTS, ...PROCESSES];
