import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Instruction } from './bpf.ts';
import { BPF, decode, encode, instruction } from './bpf.ts';
import type { Condition, ConditionalRule, NumberRange } from './prelude.ts';
import { prelude } from './prelude.ts';
import { ACTIONS } from './tables.ts';
import type { Call } from './testing/interpret.ts';
import { verdict } from './testing/interpret.ts';
import { AUDIT, ENOSYS } from './testing/model.ts';

const X64 = AUDIT.SCMP_ARCH_X86_64!;
const X86 = AUDIT.SCMP_ARCH_X86!;
const ALLOW = ACTIONS.SCMP_ACT_ALLOW;
const TRAP = ACTIONS.SCMP_ACT_TRAP;
/** What the filter behind the prelude answers, and the default action. */
const BEHIND = 0x7ffc0001;
const DEFAULT = 0x50001;

/** A prelude with something behind it. */
function program(code: readonly Instruction[]): Uint8Array {
  return encode([...code, instruction(BPF.RET, BEHIND)]);
}

function range(part: Partial<NumberRange>): NumberRange {
  return { first: 0, last: null, wide: true, rules: new Map(), ...part };
}

function condition(op: Condition['op'], value: bigint, valueTwo = 0n, index = 0): Condition {
  return { index, op, value, valueTwo };
}

/** Answers of a prelude with one rule for call 1 of x86-64, for values of the argument. */
function answers(conditions: readonly Condition[], values: readonly bigint[], wide = true): boolean[] {
  const rules = new Map([[1, [{ action: TRAP, conditions }]]]);
  const code = program(prelude([{ arch: X64, ranges: [range({ rules, wide })] }], DEFAULT));
  return values.map((value) => {
    const answer = verdict(code, { arch: X64, nr: 1, args: [value] });
    assert.ok(answer === TRAP || answer === DEFAULT, answer.toString(16));
    return answer === TRAP;
  });
}

test('nothing to do is no prelude', () => {
  assert.deepEqual(prelude([], DEFAULT), []);
  assert.deepEqual(prelude([{ arch: X64, ranges: [range({})] }], DEFAULT), []);
});

test('calls above the last known number get ENOSYS, by architecture and part', () => {
  const code = program(
    prelude(
      [
        { arch: X64, ranges: [range({ first: 0x40000000, last: 0x40000000 + 547 }), range({ last: 300 })] },
        { arch: X86, ranges: [range({ last: 400 })] },
      ],
      DEFAULT,
    ),
  );
  const expected: [Call, number][] = [
    [{ arch: X64, nr: 0 }, BEHIND],
    [{ arch: X64, nr: 300 }, BEHIND],
    [{ arch: X64, nr: 301 }, ENOSYS],
    [{ arch: X64, nr: 0x3fffffff }, ENOSYS],
    [{ arch: X64, nr: 0x40000000 }, BEHIND],
    [{ arch: X64, nr: 0x40000000 + 547 }, BEHIND],
    [{ arch: X64, nr: 0x40000000 + 548 }, ENOSYS],
    [{ arch: X64, nr: -1 }, ENOSYS],
    [{ arch: X86, nr: 301 }, BEHIND],
    [{ arch: X86, nr: 400 }, BEHIND],
    [{ arch: X86, nr: 401 }, ENOSYS],
    [{ arch: AUDIT.SCMP_ARCH_AARCH64!, nr: 5000 }, BEHIND],
  ];
  for (const [call, answer] of expected) assert.equal(verdict(code, call), answer, JSON.stringify(call));
});

test('a part without a known number goes on to the filter', () => {
  const code = program(
    prelude([{ arch: X64, ranges: [range({ first: 0xf0000 }), range({ last: 10 })] }], DEFAULT),
  );
  assert.equal(verdict(code, { arch: X64, nr: 0xf0005 }), BEHIND);
  assert.equal(verdict(code, { arch: X64, nr: 11 }), ENOSYS);
});

test('comparisons of 64 bits are by both halves', () => {
  const big = 5n * 2n ** 32n + 7n;
  const values = [0n, 7n, big - 2n ** 32n, big - 1n, big, big + 1n, big + 2n ** 32n, 2n ** 64n - 1n];
  const expected: Record<string, boolean[]> = {
    SCMP_CMP_EQ: values.map((v) => v === big),
    SCMP_CMP_NE: values.map((v) => v !== big),
    SCMP_CMP_LT: values.map((v) => v < big),
    SCMP_CMP_LE: values.map((v) => v <= big),
    SCMP_CMP_GE: values.map((v) => v >= big),
    SCMP_CMP_GT: values.map((v) => v > big),
  };
  for (const [op, answer] of Object.entries(expected)) {
    assert.deepEqual(answers([condition(op as Condition['op'], big)], values), answer, op);
  }
});

test('a mask is laid over the argument and over the value', () => {
  const mask = 0xff000000000000f0n;
  const wanted = 0x1200000000000030n;
  const masked = condition('SCMP_CMP_MASKED_EQ', mask, wanted | 0x5n);
  const values = [wanted, wanted | 0xfn, wanted | 0x00ff00ff00000000n, wanted | 0x40n, 0n];
  assert.deepEqual(answers([masked], values), [true, true, true, false, false]);
});

test('where arguments have 32 bits the high halves count for nothing', () => {
  const values = [7n, 7n + 2n ** 32n, 8n];
  assert.deepEqual(answers([condition('SCMP_CMP_EQ', 7n + 2n ** 40n)], values, false), [true, true, false]);
  assert.deepEqual(answers([condition('SCMP_CMP_LT', 8n)], values, false), [true, true, false]);
});

test('all conditions of a rule must hold, on any of the six arguments', () => {
  const conditions = [0, 1, 2, 3, 4, 5].map((index) => condition('SCMP_CMP_EQ', BigInt(index), 0n, index));
  const rules = new Map([[1, [{ action: TRAP, conditions }]]]);
  const code = program(prelude([{ arch: X64, ranges: [range({ rules })] }], DEFAULT));
  const right = [0n, 1n, 2n, 3n, 4n, 5n];
  assert.equal(verdict(code, { arch: X64, nr: 1, args: right }), TRAP);
  right.forEach((_, index) => {
    assert.equal(
      verdict(code, { arch: X64, nr: 1, args: right.with(index, 9n) }),
      DEFAULT,
      `argument ${index}`,
    );
  });
});

test('the first rule that holds counts, and without one the default action', () => {
  const list: ConditionalRule[] = [
    { action: TRAP, conditions: [condition('SCMP_CMP_LT', 5n)] },
    { action: ALLOW, conditions: [condition('SCMP_CMP_LT', 10n)] },
  ];
  const code = program(prelude([{ arch: X64, ranges: [range({ rules: new Map([[1, list]]) })] }], DEFAULT));
  const of = (value: bigint): number => verdict(code, { arch: X64, nr: 1, args: [value] });
  assert.deepEqual([4n, 5n, 9n, 10n].map(of), [TRAP, ALLOW, ALLOW, DEFAULT]);
  assert.equal(verdict(code, { arch: X64, nr: 2 }), BEHIND);
});

test('more rules than a short jump can pass', () => {
  const rules = new Map(
    Array.from({ length: 300 }, (_, number): [number, ConditionalRule[]] => [
      number,
      Array.from({ length: 2 }, (_, nth) => ({
        action: TRAP + number,
        conditions: [condition('SCMP_CMP_EQ', BigInt(nth + 1))],
      })),
    ]),
  );
  const busy = [range({ first: 0x40000000, last: 0x40000001 }), range({ last: 400, rules })];
  const code = prelude(
    [
      { arch: X64, ranges: busy },
      { arch: X86, ranges: [range({ last: 3, rules })] },
    ],
    DEFAULT,
  );
  const bytes = program(code);
  for (const number of [0, 1, 150, 299]) {
    for (const value of [1n, 2n]) {
      assert.equal(verdict(bytes, { arch: X64, nr: number, args: [value] }), TRAP + number);
    }
    assert.equal(verdict(bytes, { arch: X64, nr: number, args: [3n] }), DEFAULT);
  }
  assert.equal(verdict(bytes, { arch: X64, nr: 300 }), BEHIND);
  assert.equal(verdict(bytes, { arch: X64, nr: 401 }), ENOSYS);
  assert.equal(verdict(bytes, { arch: X86, nr: 4, args: [1n] }), ENOSYS);
  assert.equal(verdict(bytes, { arch: X86, nr: 3, args: [2n] }), TRAP + 3);
});

test('instructions are what they were, as bytes', () => {
  const code = [instruction(BPF.JGE, 0xfffffffe, 255, 1), instruction(BPF.RET, 0x80000000)];
  assert.deepEqual(decode(encode(code)), code);
});
