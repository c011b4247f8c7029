/**
 * What the language has and QuickJS 2021-03-27 lacks, as far as it is used here. To be imported before anything else.
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

// What modules look at while the program is built; process.ts adds the rest.
define(globalThis, 'process', { versions: { quickjs: host.version }, arch: host.arch });

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
    readonly #keepMark: boolean;

    constructor(_encoding?: string, options: { ignoreBOM?: boolean } = {}) {
      this.#keepMark = options.ignoreBOM === true;
    }

    decode(bytes: Uint8Array): string {
      const text = host.decode(bytes);
      return !this.#keepMark && text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
    }
  },
);
