/**
 * What stands before libseccomp's filter: the parts that libseccomp can't do, or not rightly.
 *
 * - **Conditions on arguments.** libseccomp (2.5.4 at least) merges the conditions of all rules for a call into one
 *   tree; with two inequalities on one argument, or several arguments in several rules, the result is often wrong,
 *   in either direction, and for some rules it never returns. Here they are tested one rule after the other.
 * - **ENOSYS for calls that are newer than the profile.** The default action, mostly EPERM, is meant for what the
 *   profile's author knew of and left out. A C library that tries a new call and falls back to an old one does so only
 *   on ENOSYS. So calls with a number above all that the profile names get it, as with runc.
 *
 * A call that is neither goes on to what follows the prelude.
 *
 * @module
 */

import type { LinuxSeccompOperator } from '../spec/types.ts';
import type { Label } from './assembler.ts';
import { Assembler } from './assembler.ts';
import type { Instruction } from './bpf.ts';
import { BPF, SECCOMP_DATA } from './bpf.ts';
import { ACTIONS } from './tables.ts';

/** errno(3); on every architecture that libseccomp has, but the big-endian ones, which runts hasn't. */
const ENOSYS = 38;

/** A condition on an argument: all values have 64 bits. */
export interface Condition {
  index: number;
  op: LinuxSeccompOperator;
  value: bigint;
  /** With SCMP_CMP_MASKED_EQ what the argument must be under the mask `value`. */
  valueTwo: bigint;
}

/** A rule for a call that only holds under conditions, all of which must be true. */
export interface ConditionalRule {
  action: number;
  conditions: readonly Condition[];
}

/** A part of an architecture's numbers that grows on its own with the kernel's versions. */
export interface NumberRange {
  /** Where it begins. */
  first: number;
  /** The greatest number that the profile names; null when there is none, or when newer calls need no answer. */
  last: number | null;
  /** Arguments have 64 bits; otherwise only the low halves are looked at, of the conditions too. */
  wide: boolean;
  /** Rules by the call's number; the first that holds counts, and without one the default action. */
  rules: ReadonlyMap<number, readonly ConditionalRule[]>;
}

/** An architecture as the kernel names it (AUDIT_ARCH_*, linux/audit.h). */
export interface Architecture {
  arch: number;
  /** By `first`, descending; the last one begins at 0. */
  ranges: readonly NumberRange[];
}

/** The prelude; empty when there is nothing to do. */
export function prelude(architectures: readonly Architecture[], defaultAction: number): Instruction[] {
  const code = new Assembler();
  const end = code.label();
  const busy = architectures.filter(({ ranges }) =>
    ranges.some(({ last, rules }) => last !== null || rules.size > 0),
  );
  if (busy.length === 0) return [];
  code.load(SECCOMP_DATA.ARCH);
  for (const { arch, ranges } of busy) {
    const next = code.label();
    code.gotoUnless(BPF.JEQ, arch, next);
    code.load(SECCOMP_DATA.NR);
    for (const range of ranges) {
      const lower = code.label();
      if (range.first > 0) code.gotoUnless(BPF.JGE, range.first, lower);
      addRange(code, range, defaultAction, end);
      code.place(lower);
    }
    code.place(next);
  }
  code.place(end);
  return code.finish();
}

/** The number is loaded. Ends with an answer, or at `end`. */
function addRange(code: Assembler, range: NumberRange, defaultAction: number, end: Label): void {
  if (range.last !== null) {
    const known = code.label();
    code.branch(BPF.JGT, range.last, null, known);
    code.answer(ACTIONS.SCMP_ACT_ERRNO + ENOSYS);
    code.place(known);
  }
  const blocks = [...range.rules].map(([number, rules]) => ({ number, rules, label: code.label() }));
  for (const { number, label } of blocks) code.gotoIf(BPF.JEQ, number, label);
  code.goto(end);
  for (const { rules, label } of blocks) {
    code.place(label);
    for (const rule of rules) addRule(code, rule, range.wide);
    code.answer(defaultAction);
  }
}

function addRule(code: Assembler, { action, conditions }: ConditionalRule, wide: boolean): void {
  const no = code.label();
  for (const condition of conditions) {
    const yes = code.label();
    if (wide) addWideCondition(code, condition, yes, no);
    else addHalf(code, condition, 'low', yes, no);
    code.place(yes);
  }
  code.answer(action);
  code.place(no);
}

/** A comparison of 64 bits: by the high halves, and where they are equal by the low ones. */
function addWideCondition(code: Assembler, condition: Condition, yes: Label, no: Label): void {
  const { op, index, value } = condition;
  switch (op) {
    case 'SCMP_CMP_NE':
      addHalf(code, condition, 'high', yes, null);
      break;
    case 'SCMP_CMP_EQ':
    case 'SCMP_CMP_MASKED_EQ':
      addHalf(code, condition, 'high', null, no);
      break;
    default: {
      const less = op === 'SCMP_CMP_LT' || op === 'SCMP_CMP_LE';
      code.load(SECCOMP_DATA.ARGS + 8 * index + 4);
      code.branch(BPF.JGT, high(value), less ? no : yes, null);
      code.branch(BPF.JEQ, high(value), null, less ? yes : no);
    }
  }
  addHalf(code, condition, 'low', yes, no);
}

const low = (value: bigint): number => Number(value & 0xffffffffn);
const high = (value: bigint): number => Number(value >> 32n);

/** How a comparison of 32 bits is said with BPF's, and whether its answer is turned round. */
const COMPARISONS: Readonly<Record<LinuxSeccompOperator, readonly [code: number, negated: boolean]>> = {
  SCMP_CMP_NE: [BPF.JEQ, true],
  SCMP_CMP_LT: [BPF.JGE, true],
  SCMP_CMP_LE: [BPF.JGT, true],
  SCMP_CMP_EQ: [BPF.JEQ, false],
  SCMP_CMP_GE: [BPF.JGE, false],
  SCMP_CMP_GT: [BPF.JGT, false],
  SCMP_CMP_MASKED_EQ: [BPF.JEQ, false],
};

/** Compares one half of an argument. */
function addHalf(
  code: Assembler,
  { index, op, value, valueTwo }: Condition,
  half: 'low' | 'high',
  yes: Label | null,
  no: Label | null,
): void {
  const part = half === 'low' ? low : high;
  const [comparison, negated] = COMPARISONS[op];
  code.load(SECCOMP_DATA.ARGS + 8 * index + (half === 'low' ? 0 : 4));
  let operand = part(value);
  if (op === 'SCMP_CMP_MASKED_EQ') {
    code.and(operand);
    // As libseccomp has it: what the mask cuts off the argument it cuts off the value too.
    operand = part(valueTwo & value);
  }
  code.branch(comparison, operand, negated ? no : yes, negated ? yes : no);
}
