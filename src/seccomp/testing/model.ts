/**
 * What a profile means, said directly: the other half of the property tests, which compare it with what the compiled
 * filter answers.
 *
 * @module
 */

import { seccompArgValue } from '../../spec/integers.ts';
import type { LinuxSeccompArg, LinuxSyscall } from '../../spec/types.ts';
import { libseccomp, UNKNOWN_SYSCALL } from '../libseccomp.ts';
import type { Profile } from '../profile.ts';
import { ACTIONS } from '../tables.ts';
import type { Call } from './interpret.ts';

/** AUDIT_ARCH_* by the specification's names; x32 is x86-64 with a bit in the call's number. */
export const AUDIT: Readonly<Record<string, number>> = {
  SCMP_ARCH_X86_64: 0xc000003e,
  SCMP_ARCH_X32: 0xc000003e,
  SCMP_ARCH_X86: 0x40000003,
  SCMP_ARCH_AARCH64: 0xc00000b7,
  SCMP_ARCH_ARM: 0x40000028,
};

const X32_BIT = 0x40000000;
const ARM_PRIVATE = 0xf0000;
const KILL = ACTIONS.SCMP_ACT_KILL;
export const ENOSYS = ACTIONS.SCMP_ACT_ERRNO + 38;
const WIDE = new Set(['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64']);
const NATIVE = process.arch === 'arm64' ? 'SCMP_ARCH_AARCH64' : 'SCMP_ARCH_X86_64';

/** The number of a system call, or undefined when the architecture has none of that name. */
export function numberOf(arch: string, name: string): number | undefined {
  const lib = libseccomp();
  const number = lib.resolveSyscall(
    lib.resolveArchitecture(arch.slice('SCMP_ARCH_'.length).toLowerCase()),
    name,
  );
  return number === UNKNOWN_SYSCALL || number < 0 ? undefined : number;
}

/** The specification's name of the architecture that a call is of; undefined when the profile hasn't got it. */
function architectureOf(profile: Profile, call: Call): string | undefined {
  const all: readonly string[] = [NATIVE, ...(profile.architectures ?? [])];
  return all.find((name) => {
    if (AUDIT[name] !== call.arch) return false;
    const x32 = call.arch === AUDIT.SCMP_ARCH_X32 && call.nr >= X32_BIT;
    return name === 'SCMP_ARCH_X32' ? x32 : !x32;
  });
}

/** The greatest number that the profile names, of those that count on with the kernel's versions. */
function lastNumber(profile: Profile, arch: string): number {
  const numbers = (profile.syscalls ?? [])
    .flatMap(({ names }) => names.map((name) => numberOf(arch, name) ?? -1))
    .filter((number) => arch !== 'SCMP_ARCH_ARM' || number < ARM_PRIVATE);
  return Math.max(-1, ...numbers);
}

/** The return value that the profile asks for. */
export function expected(profile: Profile, call: Call): number {
  const arch = architectureOf(profile, call);
  if (arch === undefined) return KILL;
  const permissive = ['ALLOW', 'LOG', 'TRACE'].some((name) => profile.defaultAction === `SCMP_ACT_${name}`);
  const last = lastNumber(profile, arch);
  const counted = arch !== 'SCMP_ARCH_ARM' || call.nr < ARM_PRIVATE;
  if (!permissive && last >= 0 && counted && call.nr > last) return ENOSYS;
  const otherwise = value(profile.defaultAction, profile.defaultErrnoRet);
  const rules = (profile.syscalls ?? [])
    .filter((rule) => rule.names.some((name) => numberOf(arch, name) === call.nr))
    .filter((rule) => value(rule.action, rule.errnoRet) !== otherwise);
  const rule =
    rules.find(({ args = [] }) => args.length === 0) ??
    rules.find((one) => matches(one, call, WIDE.has(arch)));
  return rule === undefined ? otherwise : value(rule.action, rule.errnoRet);
}

function value(action: LinuxSyscall['action'], errnoRet: number | undefined): number {
  const takesData = action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE';
  return ACTIONS[action] + (takesData ? (errnoRet ?? 1) : 0);
}

/** All conditions hold; with two on one argument, one of them. */
function matches({ args = [] }: LinuxSyscall, call: Call, wide: boolean): boolean {
  const holds = (arg: LinuxSeccompArg): boolean => condition(arg, call.args?.[arg.index] ?? 0n, wide);
  const repeated = new Set(args.map(({ index }) => index)).size < args.length;
  return repeated ? args.some(holds) : args.every(holds);
}

function condition(arg: LinuxSeccompArg, given: bigint, wide: boolean): boolean {
  const cut = (number: bigint): bigint => (wide ? number : number & 0xffffffffn);
  const actual = cut(given);
  const one = cut(seccompArgValue(arg, 'value'));
  const two = cut(seccompArgValue(arg, 'valueTwo'));
  switch (arg.op) {
    case 'SCMP_CMP_NE':
      return actual !== one;
    case 'SCMP_CMP_LT':
      return actual < one;
    case 'SCMP_CMP_LE':
      return actual <= one;
    case 'SCMP_CMP_EQ':
      return actual === one;
    case 'SCMP_CMP_GE':
      return actual >= one;
    case 'SCMP_CMP_GT':
      return actual > one;
    case 'SCMP_CMP_MASKED_EQ':
      return (actual & one) === two;
  }
}
