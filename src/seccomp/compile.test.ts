/**
 * Profiles through libseccomp: what they mean, and what is refused.
 *
 * @module
 */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SECCOMP_FILTER_FLAG } from '../../ffi/constants/process.ts';
import { RuntsError } from '../errors.ts';
import type { LinuxSeccomp, LinuxSyscall } from '../spec/types.ts';
import { compileFilter } from './compile.ts';
import type { Profile } from './profile.ts';
import { ACTIONS } from './tables.ts';
import { verdict } from './testing/interpret.ts';
import { AUDIT, ENOSYS, numberOf } from './testing/model.ts';

const EPERM = ACTIONS.SCMP_ACT_ERRNO + 1;
const ALLOW = ACTIONS.SCMP_ACT_ALLOW;
const NATIVE = process.arch === 'arm64' ? 'SCMP_ARCH_AARCH64' : 'SCMP_ARCH_X86_64';
/** Lets commands be executed; a call with a high number, so that none of the tests' calls is newer than the profile. */
const NEEDED: LinuxSyscall = { names: ['execve', 'openat2', 'faccessat2'], action: 'SCMP_ACT_ALLOW' };

function fixture(name: string): Profile {
  return JSON.parse(readFileSync(new URL(`./fixtures/${name}.json`, import.meta.url), 'utf8')) as Profile;
}

function profile(rules: readonly LinuxSyscall[], rest: Partial<Profile> = {}): Profile {
  return { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [NEEDED, ...rules], ...rest };
}

/** The answer to a call by name. */
function asker(given: Profile): (name: string, args?: readonly bigint[], arch?: string) => number {
  const { program } = compileFilter(given);
  return (name, args, arch = NATIVE) => {
    const nr = numberOf(arch, name);
    assert.ok(nr !== undefined, `${arch} has no ${name}`);
    return verdict(program, { arch: AUDIT[arch]!, nr, args });
  };
}

function refused(given: LinuxSeccomp, field: string, text: RegExp): void {
  assert.throws(
    () => compileFilter(given as Profile),
    (error: unknown) => {
      assert.ok(error instanceof RuntsError);
      assert.equal(error.code, 'E_CONFIG_INVALID');
      assert.equal(error.details.field, field);
      assert.match(error.message, text);
      return true;
    },
  );
}

test('Docker’s default profile', () => {
  const ask = asker(fixture('docker-default'));
  for (const name of ['read', 'execve', 'openat2', 'statx', 'clone', 'capset', 'seccomp', 'ptrace']) {
    assert.equal(ask(name, [17n]), ALLOW, name);
  }
  for (const name of [
    'mount',
    'unshare',
    'bpf',
    'kexec_load',
    'setns',
    'pivot_root',
    'keyctl',
    'io_uring_setup',
  ]) {
    assert.equal(ask(name), EPERM, name);
  }
  const CLONE_NEWUSER = 0x10000000n;
  assert.equal(ask('clone', [CLONE_NEWUSER | 17n]), EPERM);
  assert.equal(ask('clone3'), ENOSYS);
  assert.equal(ask('personality', [8n]), ALLOW);
  assert.equal(ask('personality', [0xffffffffn]), ALLOW);
  assert.equal(ask('personality', [9n]), EPERM);
  const AF_VSOCK = 40n;
  assert.equal(ask('socket', [2n]), ALLOW);
  assert.equal(ask('socket', [AF_VSOCK]), EPERM);
});

test('Podman’s default profile', () => {
  const ask = asker(fixture('podman-default'));
  for (const name of ['read', 'execve', 'clone3', 'unshare', 'mount']) assert.equal(ask(name), ALLOW, name);
  for (const name of ['kexec_load', 'bpf', 'reboot']) assert.equal(ask(name), EPERM, name);
  assert.equal(ask('io_uring_setup'), ENOSYS);
  const [AF_NETLINK, AUDIT_PROTOCOL] = [16n, 9n];
  assert.equal(ask('socket', [AF_NETLINK, 3n, AUDIT_PROTOCOL]), ACTIONS.SCMP_ACT_ERRNO + 22);
  assert.equal(ask('socket', [AF_NETLINK, 3n, 0n]), ALLOW);
  assert.equal(ask('socket', [2n, 1n, AUDIT_PROTOCOL]), ALLOW);
});

test('every action, with its errno where it has one', () => {
  const actions = Object.keys(ACTIONS).filter(
    (name) => name !== 'SCMP_ACT_ERRNO',
  ) as LinuxSyscall['action'][];
  const calls = ['mkdirat', 'fchmodat', 'unlinkat', 'kill', 'ptrace', 'umask', 'chroot', 'sync'];
  const rules = actions.map((action, index): LinuxSyscall => ({ names: [calls[index]!], action }));
  const ask = asker(profile(rules));
  actions.forEach((action, index) => {
    const data = action === 'SCMP_ACT_TRACE' ? 1 : 0;
    assert.equal(ask(calls[index]!), ACTIONS[action] + data, action);
  });
  const withErrno = asker(
    profile([
      { names: ['sync'], action: 'SCMP_ACT_ERRNO', errnoRet: 0 },
      { names: ['kill'], action: 'SCMP_ACT_ERRNO', errnoRet: 4094 },
      { names: ['umask'], action: 'SCMP_ACT_TRACE', errnoRet: 0xffff },
    ]),
  );
  assert.equal(withErrno('sync'), ACTIONS.SCMP_ACT_ERRNO);
  assert.equal(withErrno('kill'), ACTIONS.SCMP_ACT_ERRNO + 4094);
  assert.equal(withErrno('umask'), ACTIONS.SCMP_ACT_TRACE + 0xffff);
  assert.equal(withErrno('ptrace'), EPERM, 'the default action');
});

test('every action as the default', () => {
  for (const [action, number] of Object.entries(ACTIONS)) {
    if (action === 'SCMP_ACT_NOTIFY') continue;
    const defaultAction = action as Profile['defaultAction'];
    const data = action === 'SCMP_ACT_ERRNO' || action === 'SCMP_ACT_TRACE' ? 1 : 0;
    assert.equal(asker(profile([], { defaultAction }))('sync'), number + data, action);
  }
  const given = profile([], { defaultErrnoRet: 6 });
  assert.equal(asker(given)('sync'), ACTIONS.SCMP_ACT_ERRNO + 6);
});

test('newer calls get ENOSYS unless the default action lets calls happen', () => {
  const nr = 900;
  const newer = (defaultAction: Profile['defaultAction']): number =>
    verdict(compileFilter(profile([], { defaultAction })).program, { arch: AUDIT[NATIVE]!, nr });
  for (const action of ['KILL', 'KILL_PROCESS', 'TRAP', 'ERRNO']) {
    assert.equal(newer(`SCMP_ACT_${action}` as Profile['defaultAction']), ENOSYS, action);
  }
  for (const action of ['ALLOW', 'LOG'] as const) {
    assert.equal(newer(`SCMP_ACT_${action}`), ACTIONS[`SCMP_ACT_${action}`], action);
  }
});

test('names that nobody knows are left out, a profile of them alone is a filter', () => {
  const rules: LinuxSyscall[] = [{ names: ['no_such_call', 'sync'], action: 'SCMP_ACT_ALLOW' }];
  assert.equal(asker(profile(rules))('sync'), ALLOW);
  const only = compileFilter({
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['no_such_call'], action: 'SCMP_ACT_KILL' }],
  });
  assert.equal(verdict(only.program, { arch: AUDIT[NATIVE]!, nr: 1 }), ALLOW);
});

test('i386: calls with a number of their own and those through socketcall', {
  skip: process.arch !== 'x64',
}, () => {
  const condition = { index: 0, value: 40, op: 'SCMP_CMP_NE' } as const;
  const given = profile([{ names: ['socket'], action: 'SCMP_ACT_ALLOW', args: [condition] }], {
    architectures: ['SCMP_ARCH_X86'],
  });
  const { program } = compileFilter(given);
  const ask = (nr: number, arg: bigint): number =>
    verdict(program, { arch: AUDIT.SCMP_ARCH_X86!, nr, args: [arg] });
  const [SOCKET, SOCKETCALL, SYS_SOCKET, SYS_BIND] = [359, 102, 1n, 2n];
  assert.equal(ask(SOCKET, 2n), ALLOW);
  assert.equal(ask(SOCKET, 40n), EPERM);
  // the arguments are out of a filter's sight
  assert.equal(ask(SOCKETCALL, SYS_SOCKET), ALLOW);
  assert.equal(ask(SOCKETCALL, SYS_BIND), EPERM);
});

test('architectures that the profile hasn’t got are killed', { skip: process.arch !== 'x64' }, () => {
  const { program } = compileFilter(profile([]));
  const kill = ACTIONS.SCMP_ACT_KILL_THREAD;
  assert.equal(verdict(program, { arch: AUDIT.SCMP_ARCH_X86!, nr: 11 }), kill);
  const listed = compileFilter(profile([], { architectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X86_64'] }));
  assert.equal(verdict(listed.program, { arch: AUDIT.SCMP_ARCH_X86!, nr: 11 }), ALLOW);
});

test('two conditions on one argument are two rules', () => {
  const args = [1, 2].map((value) => ({ index: 0, value, op: 'SCMP_CMP_EQ' as const }));
  const ask = asker(profile([{ names: ['kill'], action: 'SCMP_ACT_ALLOW', args }]));
  assert.deepEqual([ask('kill', [1n]), ask('kill', [2n]), ask('kill', [3n])], [ALLOW, ALLOW, EPERM]);
});

test('a rule without conditions overrules those with, one with the default action says nothing', () => {
  const one = [{ index: 0, value: 1, op: 'SCMP_CMP_EQ' as const }];
  const overruled = asker(
    profile([
      { names: ['kill'], action: 'SCMP_ACT_TRAP', args: one },
      { names: ['kill'], action: 'SCMP_ACT_ALLOW' },
    ]),
  );
  assert.equal(overruled('kill', [1n]), ALLOW);
  const kept = asker(
    profile([
      { names: ['kill'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 },
      { names: ['kill'], action: 'SCMP_ACT_ALLOW', args: one },
    ]),
  );
  assert.deepEqual([kept('kill', [1n]), kept('kill', [2n])], [ALLOW, EPERM]);
});

test('rules on which libseccomp itself never returns', () => {
  const of = (index: number, op: string, value: number) => ({ index, op: `SCMP_CMP_${op}`, value });
  const rules = [
    { names: ['kill'], action: 'SCMP_ACT_LOG', args: [of(0, 'GE', 4294967295), of(2, 'LT', 0)] },
    { names: ['kill'], action: 'SCMP_ACT_TRAP', args: [of(1, 'GE', 4294967341), of(2, 'LE', 0)] },
    { names: ['kill'], action: 'SCMP_ACT_ALLOW', args: [of(0, 'GE', 4294967295), of(2, 'NE', 0)] },
  ] as LinuxSyscall[];
  const ask = asker(profile(rules));
  assert.equal(ask('kill', [4294967295n, 0n, 1n]), ALLOW);
  assert.equal(ask('kill', [0n, 4294967341n, 0n]), ACTIONS.SCMP_ACT_TRAP);
  assert.equal(ask('kill', [0n, 0n, 0n]), EPERM);
});

test('flags', () => {
  const flagsOf = (flags: LinuxSeccomp['flags'], rules: LinuxSyscall[] = []): number =>
    compileFilter(profile(rules, { flags })).flags;
  const { LOG, SPEC_ALLOW, NEW_LISTENER, WAIT_KILLABLE_RECV } = SECCOMP_FILTER_FLAG;
  assert.equal(flagsOf(undefined), SPEC_ALLOW);
  assert.equal(flagsOf([]), 0);
  assert.equal(flagsOf(['SECCOMP_FILTER_FLAG_TSYNC']), 0, 'one thread has nobody to synchronise with');
  assert.equal(flagsOf(['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW']), LOG | SPEC_ALLOW);
  const notify: LinuxSyscall[] = [{ names: ['mkdirat'], action: 'SCMP_ACT_NOTIFY' }];
  assert.equal(flagsOf(['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV']), 0, 'it needs a listener');
  assert.equal(
    flagsOf(['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV', 'SECCOMP_FILTER_FLAG_TSYNC'], notify),
    WAIT_KILLABLE_RECV | NEW_LISTENER,
  );
  assert.equal(compileFilter(profile(notify)).notify, true);
  assert.equal(compileFilter(profile([])).notify, false);
});

test('what can’t be a filter is refused, with the field', () => {
  const unknown = { architectures: ['SCMP_ARCH_VAX'] } as unknown as Partial<Profile>;
  refused(profile([], unknown), 'linux.seccomp.architectures[0]', /libseccomp doesn’t know SCMP_ARCH_VAX/);
  refused(
    profile([], { architectures: [NATIVE, 'SCMP_ARCH_S390X'] } as Partial<Profile>),
    'linux.seccomp.architectures[1]',
    /s390x.*\(EDOM\).*byte order/,
  );
  const args = [{ index: 0, value: 1, op: 'SCMP_CMP_EQ' as const }];
  refused(
    profile([
      { names: ['kill'], action: 'SCMP_ACT_ALLOW', args },
      { names: ['sync', 'kill'], action: 'SCMP_ACT_TRAP', args },
    ]),
    'linux.seccomp.syscalls[2]',
    /contradicts an earlier rule for kill/,
  );
  refused(
    { defaultAction: 'SCMP_ACT_ERRNO', syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW' }] },
    'linux.seccomp',
    /forbids execve/,
  );
  refused(
    { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['execve'], action: 'SCMP_ACT_KILL' }] },
    'linux.seccomp',
    /forbids execve/,
  );
  const many = Array.from({ length: 2000 }, (_, value) => ({ index: 0, value, op: 'SCMP_CMP_EQ' as const }));
  refused(
    profile([{ names: ['kill'], action: 'SCMP_ACT_ALLOW', args: many }]),
    'linux.seccomp',
    /has \d+ instructions, and the kernel takes at most 4096/,
  );
});

test('execve may depend on its arguments, or be left to a tracer or an agent', () => {
  for (const action of ['SCMP_ACT_NOTIFY', 'SCMP_ACT_TRACE', 'SCMP_ACT_LOG'] as const) {
    assert.ok(compileFilter({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: [{ names: ['execve'], action }] }));
  }
  const args = [{ index: 1, value: 0, op: 'SCMP_CMP_EQ' as const }];
  const syscalls: LinuxSyscall[] = [{ names: ['execve'], action: 'SCMP_ACT_ERRNO', args }];
  assert.ok(compileFilter({ defaultAction: 'SCMP_ACT_ALLOW', syscalls }));
});
