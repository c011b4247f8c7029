/**
 * The end of a program's output: what an error message quotes.
 *
 * @module
 */

import { concatBytes } from '../../ffi/text.ts';

/** Keeps the last bytes of a stream, however long it is. */
export class Tail {
  readonly #limit: number;
  #chunks: Uint8Array[] = [];
  #kept = 0;
  #dropped = 0;

  /** @param limit - bytes to keep */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes a copy of `chunk`. */
  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk.slice());
    this.#kept += chunk.length;
    // Joined at twice the limit, so that a stream of single bytes costs no copy of the whole each time.
    if (this.#kept > this.#limit * 2) this.#trim();
  }

  /** The text, without white space at its end; it says so when something before it is missing. */
  toString(): string {
    this.#trim();
    const text = new TextDecoder().decode(concatBytes(this.#chunks)).trimEnd();
    return this.#dropped === 0 ? text : `[${this.#dropped} bytes left out] ${text}`;
  }

  #trim(): void {
    if (this.#kept <= this.#limit) return;
    const excess = this.#kept - this.#limit;
    this.#chunks = [concatBytes(this.#chunks).subarray(excess)];
    this.#dropped += excess;
    this.#kept = this.#limit;
  }
}
