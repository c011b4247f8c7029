/**
 * Architectures and the numbers that system calls have there: libseccomp's tables, and what they don't say.
 *
 * @module
 */

import { FIELD, invalid } from './errors.ts';
import { libseccomp, UNKNOWN_ARCHITECTURE } from './libseccomp.ts';
import type { Architecture, ConditionalRule, NumberRange } from './prelude.ts';
import type { CallRules } from './profile.ts';

/** __AUDIT_ARCH_64BIT, linux/audit.h. */
const WIDE = 0x80000000;
/** Where the numbers of x32 begin among those of x86-64 (__X32_SYSCALL_BIT), and ARM's own calls among ARM's. */
const X32_FIRST = 0x40000000;
const ARM_PRIVATE_FIRST = 0xf0000;

/**
 * Calls of i386 that libseccomp numbers from -101 down, because they were parts of socketcall(2) and ipc(2). Most have
 * had a number of their own since Linux 4.3, from {@link DIRECT} on.
 */
const MULTIPLEXED_LAST = -1000;
const DIRECT = { first: 359, last: 402 };

/** An architecture of a profile. */
export interface ResolvedArchitecture {
  /** SCMP_ARCH_*: the kernel's AUDIT_ARCH_*, but for x32. */
  token: number;
  /** As libseccomp's functions have it: `x86_64`. */
  name: string;
  field: string;
  /** Whether a call may be made through socketcall(2) or ipc(2) here. */
  multiplexes: (call: string) => boolean;
}

/** The architectures that a profile lists, `SCMP_ARCH_...`. The native one may be missing. */
export function resolveArchitectures(names: readonly string[]): ResolvedArchitecture[] {
  const lib = libseccomp();
  return names.map((given, index) => {
    const field = `${FIELD}.architectures[${index}]`;
    const name = given.replace(/^SCMP_ARCH_/, '').toLowerCase();
    const token = lib.resolveArchitecture(name);
    if (token === UNKNOWN_ARCHITECTURE) {
      throw invalid(field, `libseccomp doesn’t know ${given}`, 'leave it out, or install a later libseccomp');
    }
    const multiplexes = (call: string): boolean => isMultiplexed(lib.resolveSyscall(token, call));
    return { token, name, field, multiplexes };
  });
}

const isMultiplexed = (number: number): boolean => number < -1 && number > MULTIPLEXED_LAST;

/**
 * What the prelude must know of every architecture of the filter, the native one included.
 *
 * @param names - all calls that the profile names
 * @param answerNewer - whether calls above all of those get ENOSYS
 */
export function numberRanges(
  architectures: readonly ResolvedArchitecture[],
  names: ReadonlySet<string>,
  rules: ReadonlyMap<string, CallRules>,
  answerNewer: boolean,
): Architecture[] {
  const lib = libseccomp();
  const x64 = lib.resolveArchitecture('x86_64');
  const x32 = lib.resolveArchitecture('x32');
  const arm = lib.resolveArchitecture('arm');
  const tokens = new Set([lib.nativeArchitecture(), ...architectures.map(({ token }) => token)]);
  const numbers = new Map([...tokens].map((token) => [token, numbersOf(token, names)]));
  const range = (token: number, first: number, counted = true): NumberRange => {
    const end = token === arm && first === 0 ? ARM_PRIVATE_FIRST : Number.POSITIVE_INFINITY;
    const inside = [...(numbers.get(token) ?? [])].filter(([, number]) => number >= first && number < end);
    const last = inside.reduce((greatest, [, number]) => Math.max(greatest, number), -1);
    const wide = token >= WIDE;
    return {
      first,
      last: answerNewer && counted && last >= 0 ? last : null,
      wide,
      rules: rulesOf(inside, rules),
    };
  };
  // x32 is x86-64 to the kernel.
  const arches = new Set([...tokens].map((token) => (token === x32 ? x64 : token)));
  return [...arches].map((arch) => {
    if (arch === x64) return { arch, ranges: [range(x32, X32_FIRST), range(x64, 0)] };
    if (arch === arm) return { arch, ranges: [range(arm, ARM_PRIVATE_FIRST, false), range(arm, 0)] };
    return { arch, ranges: [range(arch, 0)] };
  });
}

/** Numbers of those calls that have one of their own. */
function numbersOf(token: number, names: ReadonlySet<string>): Map<string, number> {
  const lib = libseccomp();
  const numbers = new Map<string, number>();
  let direct: Map<string, number> | undefined;
  for (const name of names) {
    let number: number | undefined = lib.resolveSyscall(token, name);
    if (isMultiplexed(number)) {
      direct ??= directNumbers(token);
      number = direct.get(name);
    }
    if (number !== undefined && number >= 0) numbers.set(name, number);
  }
  return numbers;
}

function directNumbers(token: number): Map<string, number> {
  const lib = libseccomp();
  const numbers = new Map<string, number>();
  for (let number = DIRECT.first; number <= DIRECT.last; number++) {
    const name = lib.resolveNumber(token, number);
    if (name !== null) numbers.set(name, number);
  }
  return numbers;
}

/** Conditional rules by number. Where two names have one number, a rule without conditions overrules as it does else. */
function rulesOf(
  numbers: readonly (readonly [name: string, number: number])[],
  rules: ReadonlyMap<string, CallRules>,
): Map<number, ConditionalRule[]> {
  const byNumber = new Map<number, ConditionalRule[]>();
  const always = new Set<number>();
  for (const [name, number] of numbers) {
    const call = rules.get(name);
    if (call === undefined) continue;
    if (call.always !== null) always.add(number);
    else byNumber.set(number, [...(byNumber.get(number) ?? []), ...call.conditional]);
  }
  for (const number of always) byNumber.delete(number);
  return byNumber;
}
