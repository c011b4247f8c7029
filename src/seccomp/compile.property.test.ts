/**
 * Whatever the profile: the compiled filter answers every call as the profile says.
 *
 * @module
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RuntsError } from '../errors.ts';
import type { LinuxSeccompArg, LinuxSyscall } from '../spec/types.ts';
import { compileFilter } from './compile.ts';
import type { Profile } from './profile.ts';
import { verdict } from './testing/interpret.ts';
import { AUDIT, expected, numberOf } from './testing/model.ts';

const RUNS = Number(process.env.RUNTS_PROPERTY_RUNS ?? 150);

/** Calls of all ages. None that i386 multiplexes over socketcall or ipc: there the filter has rules of its own. */
const NAMES = [
  ...['read', 'close', 'dup', 'getpid', 'kill', 'uname', 'fchdir', 'umask', 'setsid', 'gettid', 'futex'],
  ...['mkdir', 'rmdir', 'chmod', 'pause', 'fork', 'arch_prctl', 'personality', 'prctl', 'mkdirat', 'unshare'],
  ...['prlimit64', 'getrandom', 'statx', 'clone3', 'openat2', 'mount_setattr', 'set_tls', 'no_such_call'],
];

/** 64-bit values where comparisons of halves go wrong. JSON numbers: exact up to 2^53. */
const word = fc.oneof(
  fc.constantFrom(
    0,
    1,
    2,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    2 ** 32,
    2 ** 32 + 1,
    2 ** 53 - 1,
    2 ** 40 + 7,
  ),
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  fc.integer({ min: 0, max: 300 }),
);

const argument: fc.Arbitrary<LinuxSeccompArg> = fc
  .record({
    index: fc.integer({ min: 0, max: 5 }),
    value: word,
    op: fc.constantFrom<LinuxSeccompArg['op'][]>(
      'SCMP_CMP_NE',
      'SCMP_CMP_LT',
      'SCMP_CMP_LE',
      'SCMP_CMP_EQ',
      'SCMP_CMP_GE',
      'SCMP_CMP_GT',
      'SCMP_CMP_MASKED_EQ',
    ),
    valueTwo: word,
  })
  // What a mask cuts off can never be equal; libseccomp cuts it off the value too.
  .map((arg) => ({ ...arg, valueTwo: Number(BigInt(arg.valueTwo) & BigInt(arg.value)) }));

const action = fc.constantFrom<LinuxSyscall['action'][]>(
  'SCMP_ACT_KILL',
  'SCMP_ACT_KILL_PROCESS',
  'SCMP_ACT_TRAP',
  'SCMP_ACT_ERRNO',
  'SCMP_ACT_TRACE',
  'SCMP_ACT_LOG',
  'SCMP_ACT_ALLOW',
);

interface Rule {
  names: string[];
  action: LinuxSyscall['action'];
  errnoRet: number;
  args: LinuxSeccompArg[];
}

const rule: fc.Arbitrary<Rule> = fc.record({
  names: fc.subarray(NAMES, { minLength: 1, maxLength: 3 }),
  action,
  errnoRet: fc.integer({ min: 0, max: 4094 }),
  args: fc.oneof(
    { weight: 1, arbitrary: fc.constant<LinuxSeccompArg[]>([]) },
    { weight: 3, arbitrary: fc.array(argument, { minLength: 1, maxLength: 3 }) },
  ),
});

/** errnos belong to two of the actions only. */
function withErrno({ errnoRet, ...rest }: Rule): LinuxSyscall {
  return rest.action === 'SCMP_ACT_ERRNO' || rest.action === 'SCMP_ACT_TRACE' ? { ...rest, errnoRet } : rest;
}

/** Profiles in which rules overlap, repeat and overrule each other. */
const profile: fc.Arbitrary<Profile> = fc
  .record({
    defaults: fc.record({ action, errnoRet: fc.integer({ min: 0, max: 4094 }) }),
    architectures: fc.subarray(Object.keys(AUDIT)),
    rules: fc.array(rule, { minLength: 1, maxLength: 8 }),
    // Enough further calls for the filter to become a tree.
    further: fc.constantFrom(0, 40),
  })
  .map(({ defaults, architectures, rules, further }) => {
    const { action: defaultAction, errnoRet: defaultErrnoRet } = withErrno({
      ...defaults,
      names: [],
      args: [],
    });
    return {
      defaultAction,
      defaultErrnoRet,
      architectures: architectures as Profile['architectures'],
      syscalls: [
        { names: ['execve', ...FURTHER.slice(0, further)], action: 'SCMP_ACT_ALLOW' as const },
        ...rules.map(withErrno),
      ],
    };
  });

const FURTHER = [
  ...[
    'write',
    'lseek',
    'mmap',
    'mprotect',
    'munmap',
    'brk',
    'ioctl',
    'pread64',
    'pwrite64',
    'readv',
    'writev',
  ],
  ...['sched_yield', 'mremap', 'msync', 'mincore', 'madvise', 'nanosleep', 'getitimer', 'setitimer', 'exit'],
  ...[
    'wait4',
    'flock',
    'fsync',
    'truncate',
    'ftruncate',
    'getcwd',
    'chdir',
    'fchmod',
    'fchown',
    'ptrace',
    'syslog',
  ],
  ...['getpgid', 'capget', 'capset', 'sigaltstack', 'statfs', 'fstatfs', 'mlock', 'munlock', 'sync'],
];

/** Calls that matter: those named, their neighbours, far ones, and arguments around the rules' values. */
const call = (given: Profile) => {
  const archs = [...Object.keys(AUDIT)];
  const near = (given.syscalls ?? []).flatMap(({ args = [] }) =>
    args.flatMap(({ value, valueTwo = 0 }) => [value, value + 1, Math.max(0, value - 1), valueTwo]),
  );
  const value = fc.oneof(word, ...(near.length > 0 ? [fc.constantFrom(...near)] : [])).map(BigInt);
  return fc.record({
    arch: fc.constantFrom(...archs),
    name: fc.constantFrom(...NAMES, ...FURTHER),
    shift: fc.constantFrom(0, 0, 0, 0, 1, -1, 500),
    args: fc.array(value, { minLength: 6, maxLength: 6 }),
  });
};

/** undefined for a profile whose rules contradict each other, which is refused. */
function compiled(given: Profile): Uint8Array | undefined {
  try {
    return compileFilter(given).program;
  } catch (error) {
    if (error instanceof RuntsError && error.message.includes('contradicts')) return undefined;
    throw error;
  }
}

test('a compiled filter answers every call as its profile says', () => {
  fc.assert(
    fc.property(
      profile.chain((given) =>
        fc.tuple(fc.constant(given), fc.array(call(given), { minLength: 1, maxLength: 40 })),
      ),
      ([given, calls]) => {
        const program = compiled(given);
        fc.pre(program !== undefined);
        for (const { arch, name, shift, args } of calls) {
          const nr = (numberOf(arch, name) ?? 999) + shift;
          if (nr < 0) continue;
          const seen = { arch: AUDIT[arch]!, nr, args };
          const asked = `${arch} ${name} ${nr} ${args}`;
          assert.equal(verdict(program, seen).toString(16), expected(given, seen).toString(16), asked);
        }
      },
    ),
    { numRuns: RUNS },
  );
});
