/**
 * Container ids.
 *
 * @module
 */

import { RuntsError } from '../errors.ts';

const ID = /^[A-Za-z0-9_+.-]+$/;

/** An id is the name of a folder, so it has at most NAME_MAX bytes (limits.h). */
const MAX_LENGTH = 255;

/** The runtime's own folder beside those of the containers. */
const RESERVED = '.cache';

/** Whether `id` has the grammar that callers rely on. Names outside it in the state folder are no containers. */
export function isId(id: string): boolean {
  return id !== '.' && id !== '..' && id !== RESERVED && id.length <= MAX_LENGTH && ID.test(id);
}

/**
 * Refuses what can't be a container's id. Every command calls this before it makes a path of the id.
 *
 * @throws RuntsError E_ID_INVALID with the texts that callers match
 */
export function checkId(id: string): void {
  if (isId(id)) return;
  if (id === '') throw new RuntsError('E_ID_INVALID', 'container id cannot be empty');
  const long = id.length > MAX_LENGTH;
  const shown = long ? `${id.slice(0, 64)}...` : id;
  throw new RuntsError('E_ID_INVALID', `invalid container ID format: ${shown}`, {
    hint: long
      ? `${id.length} characters, at most ${MAX_LENGTH} are allowed`
      : 'letters, digits and _ + . - are allowed, but neither . nor .. alone, nor .cache',
  });
}
