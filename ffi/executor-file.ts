/**
 * The executor's machine code.
 *
 * @module
 */

import { readFileSync } from '#files';
import { assetPath, installationError } from './engine.ts';

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

function fromHex(digits: string): Uint8Array {
  const bytes = new Uint8Array(digits.length / 2);
  for (let at = 0; at < bytes.length; at++) bytes[at] = Number.parseInt(digits.slice(2 * at, 2 * at + 2), 16);
  return bytes;
}
