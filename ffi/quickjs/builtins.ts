/**
 * What the language has and QuickJS 2021-03-27 lacks, as far as it is used here.
 *
 * @module
 */

import { host } from './host.ts';

export function define(target: object, name: string, value: unknown): void {
  if (!(name in target)) Object.defineProperty(target, name, { value, writable: true, configurable: true });
}

function at(this: ArrayLike<unknown>, index: number): unknown {
  return this[index < 0 ? this.length + index : index];
}

function findLastIndex(this: readonly unknown[], test: (item: unknown) => boolean): number {
  for (let index = this.length - 1; index >= 0; index--) if (test(this[index])) return index;
  return -1;
}

define(Array.prototype, 'at', at);
define(Object.getPrototypeOf(Uint8Array.prototype), 'at', at);
define(String.prototype, 'at', at);
define(Array.prototype, 'findLastIndex', findLastIndex);
define(Array.prototype, 'findLast', function (this: readonly unknown[], test: (item: unknown) => boolean) {
  return this[findLastIndex.call(this, test)];
});
const { hasOwnProperty: has } = Object.prototype;
define(Object, 'hasOwn', (object: object, key: PropertyKey) => Reflect.apply(has, object, [key]));

define(
  globalThis,
  'TextEncoder',
  class {
    encode(text: string): Uint8Array {
      return host.encode(text);
    }
  },
);

define(
  globalThis,
  'TextDecoder',
  class {
    readonly #strict: boolean;
    readonly #keepMark: boolean;

    constructor(_encoding?: string, options: { fatal?: boolean; ignoreBOM?: boolean } = {}) {
      this.#strict = options.fatal === true;
      this.#keepMark = options.ignoreBOM === true;
    }

    decode(bytes: Uint8Array): string {
      const text = host.decode(bytes, this.#strict);
      if (text === undefined) throw new TypeError('The encoded data was not valid for encoding utf-8');
      return !this.#keepMark && text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
    }
  },
);
