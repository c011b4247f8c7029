/**
 * node:assert/strict for test programs under QuickJS: what they use of it.
 *
 * @module
 */

type Expected = RegExp | Readonly<Record<string, unknown>>;

function shown(value: unknown): string {
  const text = JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? `${item}n` : item));
  return text ?? String(value);
}

function same(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (left instanceof Set && right instanceof Set) return same([...left], [...right]);
  const keys = Object.keys(left);
  return (
    Array.isArray(left) === Array.isArray(right) &&
    keys.length === Object.keys(right).length &&
    keys.every(
      (key) => key in right && same(left[key as keyof typeof left], right[key as keyof typeof right]),
    )
  );
}

function fails(message: string): never {
  throw new Error(message);
}

/** An object's properties are those that the error must have, text by a pattern or as it is. */
function fits(error: unknown, expected?: Expected): void {
  if (expected === undefined) return;
  const found =
    expected instanceof RegExp
      ? expected.test(String(error))
      : Object.entries(expected).every(([key, wanted]) => {
          const value = (error as Record<string, unknown>)[key];
          return wanted instanceof RegExp ? wanted.test(String(value)) : same(value, wanted);
        });
  if (!found) fails(`another error: ${String(error)}`);
}

function ok(value: unknown, message?: string): void {
  if (!value) fails(message ?? `${shown(value)} is not truthy`);
}

const assert = Object.assign(ok, {
  ok,
  equal(left: unknown, right: unknown): void {
    if (!Object.is(left, right)) fails(`${shown(left)} is not ${shown(right)}`);
  },
  deepEqual(left: unknown, right: unknown): void {
    if (!same(left, right)) fails(`${shown(left)} is not ${shown(right)}`);
  },
  notDeepEqual(left: unknown, right: unknown): void {
    if (same(left, right)) fails(`both are ${shown(left)}`);
  },
  match(text: string, pattern: RegExp): void {
    if (!pattern.test(text)) fails(`${shown(text)} does not match ${pattern}`);
  },
  throws(body: () => unknown, expected?: Expected): void {
    try {
      body();
    } catch (error) {
      fits(error, expected);
      return;
    }
    fails('nothing was thrown');
  },
  async rejects(promise: Promise<unknown>, expected?: Expected): Promise<void> {
    try {
      await promise;
    } catch (error) {
      fits(error, expected);
      return;
    }
    fails('nothing was rejected');
  },
});

export default assert;
