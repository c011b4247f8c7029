/** The compiled device programs against a direct evaluation of the rules, and against what engines expect. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { defaultSpec } from '../../spec/default.ts';
import type { LinuxDeviceCgroup } from '../../spec/types.ts';
import { type DeviceAccess, interpret, unreachable } from './interpreter.ts';
import { deviceProgram, encodeProgram } from './program.ts';
import { ACCESS, deviceRules } from './rules.ts';

const { r, w, m } = ACCESS;

/** What the configured list says, from its own words: the last rule that names a kind of access decides on it. */
function evaluate(configured: readonly LinuxDeviceCgroup[], attempt: DeviceAccess): boolean {
  if (configured.length === 0) return true;
  return Object.entries(ACCESS).every(([letter, bit]) => {
    if ((attempt.access & bit) === 0) return true;
    if (allowedByDefault(attempt, bit)) return true;
    let allowed = false;
    for (const { allow, type = 'a', major = -1, minor = -1, access = 'rwm' } of configured) {
      if (type !== '' && type !== 'a' && type !== attempt.type) continue;
      if (major >= 0 && major !== attempt.major) continue;
      if (minor >= 0 && minor !== attempt.minor) continue;
      if (access !== '' && !access.includes(letter)) continue;
      allowed = allow;
    }
    return allowed;
  });
}

function allowedByDefault({ type, major, minor }: DeviceAccess, bit: number): boolean {
  if (bit === m) return true;
  if (type === 'b') return false;
  const listed = ['1:3', '1:5', '1:7', '1:8', '1:9', '5:0', '5:1', '5:2', '10:200'];
  return major === 136 || listed.includes(`${major}:${minor}`);
}

/** Whether the list, compiled, allows the attempt. */
function compiled(configured: readonly LinuxDeviceCgroup[], attempt: DeviceAccess): boolean {
  const rules = deviceRules(configured);
  return rules === undefined || interpret(deviceProgram(rules), attempt);
}

// Few values, so that rules and attempts meet.
const number = fc.constantFrom(-1, 0, 1, 5, 8, 10, 136, 0xffffffff, 2 ** 40);
const letters = fc.subarray(['r', 'w', 'm']).map((list) => list.join(''));
const rule: fc.Arbitrary<LinuxDeviceCgroup> = fc.record(
  {
    allow: fc.boolean(),
    type: fc.constantFrom('', 'a', 'b', 'c'),
    major: number,
    minor: number,
    access: letters,
  },
  { requiredKeys: ['allow'] },
);
const attempt: fc.Arbitrary<DeviceAccess> = fc.record({
  type: fc.constantFrom('b', 'c'),
  major: fc.constantFrom(0, 1, 5, 8, 10, 136, 0xffffffff),
  minor: fc.constantFrom(0, 1, 3, 5, 8, 200, 0xffffffff),
  access: fc.integer({ min: 1, max: 7 }),
});

test('programs decide as the rules say', () => {
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 12 }), fc.array(attempt, { minLength: 1 }), (rules, attempts) => {
      for (const one of attempts) assert.equal(compiled(rules, one), evaluate(rules, one));
    }),
    { numRuns: 2000 },
  );
});

test('no instruction is unreachable, and none reads what was never written', () => {
  fc.assert(
    fc.property(fc.array(rule, { minLength: 1, maxLength: 12 }), (rules) => {
      const effective = deviceRules(rules);
      if (effective !== undefined) assert.deepEqual(unreachable(deviceProgram(effective)), []);
    }),
  );
});

test('the default config: denied but for the usual devices', () => {
  const rules = defaultSpec().linux?.resources?.devices ?? [];
  const is = (type: 'b' | 'c', major: number, minor: number, access: number): boolean =>
    compiled(rules, { type, major, minor, access });
  for (const minor of [3, 5, 7, 8, 9]) assert.ok(is('c', 1, minor, r | w));
  for (const minor of [0, 1, 2]) assert.ok(is('c', 5, minor, r | w));
  assert.ok(is('c', 136, 17, r | w));
  assert.ok(is('c', 10, 200, r | w | m));
  assert.ok(is('b', 8, 0, m), 'making a node is allowed');
  assert.ok(is('c', 1, 1, m));
  assert.equal(is('b', 8, 0, r), false);
  assert.equal(is('b', 8, 0, r | m), false);
  assert.equal(is('c', 1, 1, r), false, '/dev/mem');
  assert.equal(is('c', 10, 229, r | w), false, '/dev/fuse');
});

test('a list that allows everything needs no program', () => {
  assert.equal(deviceRules([]), undefined);
  assert.equal(deviceRules([{ allow: true, access: 'rwm' }]), undefined);
  assert.equal(deviceRules([{ allow: false }, { allow: true, type: 'a', major: -1, minor: -1 }]), undefined);
  assert.equal(deviceRules([{ allow: true }, { allow: true, type: 'c', access: 'r' }]), undefined);
  assert.ok(deviceRules([{ allow: true }, { allow: false, type: 'b', access: 'w' }]));
  assert.ok(deviceRules([{ allow: true, type: 'c' }]));
});

test('rules that later ones cover are left out', () => {
  const covered = deviceRules([
    { allow: true, type: 'b', major: 8, minor: 0 },
    { allow: false, access: 'rwm' },
  ]);
  assert.deepEqual(covered, deviceRules([{ allow: false }]));
});

test('a refusal of one kind of access also holds for an attempt that asks for more', () => {
  const readonly: LinuxDeviceCgroup[] = [{ allow: true }, { allow: false, type: 'b', major: 8, access: 'w' }];
  const disk = { type: 'b', major: 8, minor: 1 } as const;
  assert.equal(compiled(readonly, { ...disk, access: r }), true);
  assert.equal(compiled(readonly, { ...disk, access: w }), false);
  assert.equal(compiled(readonly, { ...disk, access: r | w }), false);
});

test('kinds of access allowed by several rules add up', () => {
  const split: LinuxDeviceCgroup[] = [
    { allow: false },
    { allow: true, type: 'c', major: 10, minor: 229, access: 'r' },
    { allow: true, type: 'c', major: 10, access: 'w' },
  ];
  assert.ok(compiled(split, { type: 'c', major: 10, minor: 229, access: r | w }));
  assert.equal(compiled(split, { type: 'c', major: 10, minor: 230, access: r | w }), false);
});

test('the bytes of a program', () => {
  const bytes = encodeProgram(deviceProgram([{ allow: true, type: 'c', major: 1, minor: null, access: r }]));
  const hex = Buffer.from(bytes).toString('hex').match(/.{16}/g);
  assert.deepEqual(hex, [
    '6112000000000000',
    'bc23000000000000',
    '54020000ffff0000',
    '7403000010000000',
    '6114040000000000',
    '6115080000000000',
    '1602010002000000',
    '0500060000000000',
    '1604010001000000',
    '0500040000000000',
    '54030000fdffffff',
    '5603020000000000',
    'b400000001000000',
    '9500000000000000',
    'b400000000000000',
    '9500000000000000',
  ]);
});
