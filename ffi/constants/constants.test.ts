import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { constants as osConstants } from 'node:os';
import { test } from 'node:test';
import { SYSCALLS } from '../syscalls.ts';
import {
  AT,
  BPF,
  CAP,
  CLONE,
  constantSet,
  constantSetNames,
  ERRNO,
  errnoName,
  errnoText,
  O,
  openFlags,
} from './index.ts';

const machine = process.arch === 'arm64' ? 'arm64' : 'x64';

/** Two groups, because the C library's and the kernel's headers contradict each other in some versions. */
const HEADERS = [
  [
    'errno.h',
    'fcntl.h',
    'net/if.h',
    'sched.h',
    'signal.h',
    'stdio.h',
    'sys/file.h',
    'sys/ioctl.h',
    'sys/mman.h',
    'sys/mount.h',
    'sys/personality.h',
    'sys/prctl.h',
    'sys/resource.h',
    'sys/socket.h',
    'sys/stat.h',
    'sys/wait.h',
    'unistd.h',
  ],
  [
    'linux/bpf.h',
    'linux/capability.h',
    'linux/close_range.h',
    'linux/fcntl.h',
    'linux/ioprio.h',
    'linux/keyctl.h',
    'linux/mempolicy.h',
    'linux/memfd.h',
    'linux/mount.h',
    'linux/nsfs.h',
    'linux/openat2.h',
    'linux/prctl.h',
    'linux/sched.h',
    'linux/seccomp.h',
    'linux/sockios.h',
    'linux/stat.h',
    'asm/ioctls.h',
  ],
];

/** What the compiler says of a C file, or undefined when there is no compiler. */
function compilerSays(lines: readonly string[]): string | undefined {
  const run = spawnSync('cc', ['-w', '-fsyntax-only', '-x', 'c', '-'], {
    input: `${lines.join('\n')}\n`,
    env: { ...process.env, LC_ALL: 'C' },
  });
  return run.error ? undefined : String(run.stderr);
}

/** Compares numbers with the C names' values: those that the headers don't declare are left out. */
function compare(preamble: readonly string[], numbers: Readonly<Record<string, number | bigint>>) {
  const asserts = Object.entries(numbers).map(
    ([name, value]) => `_Static_assert((long long)(${name}) == ${value}LL, "<${name}>");`,
  );
  const output = compilerSays([...preamble, ...asserts]);
  if (output === undefined) return undefined;
  const undeclared = new Set(
    [...output.matchAll(/(?:‘|'|")(\w+)(?:’|'|") undeclared/g)].map(([, name]) => name!),
  );
  return {
    wrong: [...output.matchAll(/assertion failed.*<(\w+)>/g)].map(([, name]) => name!),
    compared: Object.keys(numbers).filter((name) => !undeclared.has(name)),
  };
}

test('the constants are those of the system headers', (t) => {
  const numbers: Record<string, number | bigint> = { ...ERRNO };
  for (const name of constantSetNames()) Object.assign(numbers, constantSet(name, machine)?.values);
  // Not a flag for the C library's 64-bit programs; and the library's own names.
  delete numbers.O_LARGEFILE;
  const compared = new Set<string>();
  for (const headers of HEADERS) {
    const existing = headers.filter((header) => compilerSays([`#include <${header}>`]) === '');
    const preamble = ['#define _GNU_SOURCE', ...existing.map((header) => `#include <${header}>`)];
    const result = compare(preamble, numbers);
    if (result === undefined || existing.length === 0) return t.skip('no C compiler with system headers');
    assert.deepEqual(compare(preamble, { __LINE__: -1, nonesuch: 1 }), {
      wrong: ['__LINE__'],
      compared: ['__LINE__'],
    });
    assert.deepEqual(result.wrong, []);
    for (const name of result.compared) compared.add(name);
  }
  const missing = Object.keys(numbers).filter((name) => !compared.has(name));
  t.diagnostic(`${compared.size} compared; the headers lack ${missing.join(' ') || 'none'}`);
  assert.ok(missing.length < 0.1 * compared.size, `the headers lack ${missing.join(' ')}`);
});

for (const [target, preamble] of [
  ['x64', ['#define __x86_64__ 1', '#include <asm/unistd_64.h>']],
  [
    'arm64',
    ['#define __ARCH_WANT_NEW_STAT', '#define __ARCH_WANT_SET_GET_RLIMIT', '#include <asm-generic/unistd.h>'],
  ],
] as const) {
  test(`the system call numbers of ${target} are those of the kernel headers`, (t) => {
    const numbers = Object.fromEntries(
      Object.entries(SYSCALLS).map(([name, syscall]) => [`__NR_${name}`, syscall[target]]),
    );
    const result = compare(preamble, numbers);
    if (result === undefined || result.compared.length === 0)
      return t.skip('no C compiler with these headers');
    assert.deepEqual(result.wrong, []);
    const missing = Object.keys(numbers).filter((name) => !result.compared.includes(name));
    assert.ok(missing.length < 5, `the headers lack ${missing.join(' ')}`);
  });
}

test('every set that a system call names exists', () => {
  for (const [name, { parameters }] of Object.entries(SYSCALLS))
    for (const type of Object.values(parameters as Record<string, string | { constants: string }>))
      if (typeof type === 'object')
        assert.ok(constantSet(type.constants, 'x64'), `${name}: ${type.constants}`);
});

test('open flags differ between the machines where the kernel says so', () => {
  const [x64, arm64] = [openFlags('x64'), openFlags('arm64')];
  const different = Object.keys(x64).filter((name) => x64[name as 'PATH'] !== arm64[name as 'PATH']);
  assert.deepEqual(different.sort(), ['DIRECT', 'DIRECTORY', 'LARGEFILE', 'NOFOLLOW', 'TMPFILE']);
  assert.equal(arm64.DIRECTORY, 0x4000);
  assert.equal(arm64.NOFOLLOW, 0x8000);
  assert.equal(arm64.DIRECT, 0x10000);
  assert.equal(arm64.LARGEFILE, 0x20000);
  assert.deepEqual(O, openFlags(machine));
});

test('errnos', () => {
  for (const [name, number] of Object.entries(osConstants.errno))
    assert.equal(ERRNO[name as keyof typeof ERRNO], number, name);
  assert.equal(errnoName(2), 'ENOENT');
  assert.equal(errnoName(-11), 'EAGAIN');
  assert.equal(errnoName(4000), 'errno 4000');
  assert.equal(errnoText('ENOTSUP'), 'operation not supported');
  assert.equal(errnoText(40), 'too many levels of symbolic links');
  assert.equal(errnoText(4000), 'unknown error');
  for (const name of Object.keys(ERRNO)) assert.notEqual(errnoText(name), 'unknown error', name);
});

test('numbers that others rely on', () => {
  assert.equal(AT.FDCWD, -100);
  assert.equal(Object.keys(CAP).length, 41);
  assert.equal(CLONE.INTO_CGROUP, 1n << 33n);
  assert.equal(BPF.PROG_ATTACH, 8);
});
