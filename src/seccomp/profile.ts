/**
 * A profile's meaning: which rules hold for a system call. That it is valid the checks in src/spec have seen to.
 *
 * @module
 */

import { seccompArgValue } from '../spec/integers.ts';
import type { LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg } from '../spec/types.ts';
import { FIELD, invalid } from './errors.ts';
import type { Condition, ConditionalRule } from './prelude.ts';
import { ACTIONS } from './tables.ts';

const EPERM = 1;

/** Actions that take an errno. */
const WITH_ERRNO: ReadonlySet<LinuxSeccompAction> = new Set(['SCMP_ACT_ERRNO', 'SCMP_ACT_TRACE']);

/** A profile that means a filter. */
export type Profile = LinuxSeccomp & { defaultAction: LinuxSeccompAction };

/** Actions that let the call happen, or that leave it to somebody who may. */
export const PERMISSIVE: ReadonlySet<LinuxSeccompAction> = new Set([
  'SCMP_ACT_ALLOW',
  'SCMP_ACT_LOG',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_NOTIFY',
]);

/**
 * Refuses a profile that forbids execve: it is in force when the command is executed, so that could only fail, and
 * obscurely.
 *
 * @throws RuntsError E_CONFIG_INVALID
 */
export function checkExecve({ defaultAction, syscalls = [] }: Profile): void {
  const rules = syscalls.filter(({ names }) => names.includes('execve'));
  if (rules.some(({ action }) => PERMISSIVE.has(action))) return;
  if (PERMISSIVE.has(defaultAction) && rules.every(({ args = [] }) => args.length > 0)) return;
  throw invalid(
    FIELD,
    'the profile forbids execve, so no command could be started',
    'add execve to the names of a rule with SCMP_ACT_ALLOW',
  );
}

/** The return value of the filter: the action with its data, EPERM unless said otherwise. */
export function actionValue(action: LinuxSeccompAction, errnoRet: number | undefined): number {
  return ACTIONS[action] + (WITH_ERRNO.has(action) ? (errnoRet ?? EPERM) : 0);
}

/** What holds for a system call. */
export interface CallRules {
  /** What happens whatever the arguments are, or null. Then there are no conditional rules. */
  always: number | null;
  /** In the profile's order. */
  conditional: ConditionalRule[];
  /** The config field of the first rule. */
  field: string;
}

/**
 * The rules of a profile by the call's name.
 *
 * As libseccomp has it, a rule with the default action says nothing; a rule without conditions overrules all with
 * conditions; and of several without, the first one counts.
 */
export function rulesByName({
  defaultAction,
  defaultErrnoRet,
  syscalls = [],
}: Profile): Map<string, CallRules> {
  const nothing = actionValue(defaultAction, defaultErrnoRet);
  const byName = new Map<string, CallRules>();
  syscalls.forEach(({ names, action: actionName, errnoRet, args = [] }, index) => {
    const action = actionValue(actionName, errnoRet);
    if (action === nothing) return;
    const field = `${FIELD}.syscalls[${index}]`;
    const rules = conditionLists(args).map((conditions) => ({ action, conditions }));
    for (const name of names) {
      let call = byName.get(name);
      if (call === undefined) {
        call = { always: null, conditional: [], field };
        byName.set(name, call);
      }
      if (call.always !== null) continue;
      if (rules.length === 0) {
        call.always = action;
        call.conditional = [];
      } else {
        for (const rule of rules) addConditional(call, rule, name, field);
      }
    }
  });
  return byName;
}

function addConditional(call: CallRules, rule: ConditionalRule, name: string, field: string): void {
  const same = call.conditional.find((other) => sameConditions(other.conditions, rule.conditions));
  if (same === undefined) call.conditional.push(rule);
  else if (same.action !== rule.action) {
    throw invalid(field, `contradicts an earlier rule for ${name} with the same conditions`);
  }
}

function sameConditions(one: readonly Condition[], other: readonly Condition[]): boolean {
  const text = ({ index, op, value, valueTwo }: Condition): string => `${index} ${op} ${value} ${valueTwo}`;
  const texts = one.map(text).sort();
  return (
    one.length === other.length &&
    other
      .map(text)
      .sort()
      .every((line, index) => line === texts[index])
  );
}

/**
 * The conditions of a rule, all of which must hold. Two on one argument can't both be passed to libseccomp, so runc and
 * crun make a rule of each, any of which suffices, and profiles rely on it.
 */
function conditionLists(args: readonly LinuxSeccompArg[]): Condition[][] {
  if (args.length === 0) return [];
  const conditions = args.map(
    (arg): Condition => ({
      index: arg.index,
      op: arg.op,
      value: seccompArgValue(arg, 'value'),
      valueTwo: arg.op === 'SCMP_CMP_MASKED_EQ' ? seccompArgValue(arg, 'valueTwo') : 0n,
    }),
  );
  const repeated = new Set(args.map(({ index }) => index)).size < args.length;
  return repeated ? conditions.map((condition) => [condition]) : [conditions];
}
