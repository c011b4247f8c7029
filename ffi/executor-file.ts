/**
 * The executor's machine code.
 *
 * @module
 */

import { readFileSync } from '#files';
import { assetPath, installationError } from './engine.ts';
import { fromHex } from './text.ts';

/** Hexadecimal digits: the build puts the executor into the binary with this. */
declare const RUNTS_EXECUTOR: string | undefined;

const embedded = typeof RUNTS_EXECUTOR === 'string' ? fromHex(RUNTS_EXECUTOR) : undefined;

/**
 * The executor as an ELF file; not to be changed.
 *
 * @throws RuntsError E_INSTALL
 */
export function executorFile(): Uint8Array {
  if (embedded !== undefined) return embedded;
  try {
    return readFileSync(assetPath('executor'));
  } catch (error) {
    throw installationError('executor', error instanceof Error ? error.message : String(error), error);
  }
}
