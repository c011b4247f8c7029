import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FS_MAGIC } from '../../ffi/constants/mount.ts';
import type { Host } from '../doctor/host.ts';
import { examine, report } from './doctor.ts';

const FILES: Record<string, string> = {
  '/proc/sys/kernel/osrelease': '6.1.0-56-amd64\n',
  '/proc/self/status': 'Name:\tx\nCapEff:\t000001ffffffffff\n',
  '/sys/fs/cgroup/cgroup.controllers': 'cpuset cpu io memory pids\n',
  '/proc/sys/user/max_user_namespaces': '15000\n',
  '/proc/sys/kernel/seccomp/actions_avail': 'kill_process errno allow\n',
  '/sys/module/apparmor/parameters/enabled': 'Y\n',
  '/sys/kernel/security/lsm': 'capability,apparmor\n',
};

function host(changes: Partial<Host> & { files?: Record<string, string | undefined> } = {}): Host {
  const files = { ...FILES, ...changes.files };
  return {
    read: (path) => files[path],
    exists: () => true,
    fileSystem: (path) => (path === '/sys/fs/cgroup' ? FS_MAGIC.CGROUP2 : undefined),
    program: (name) => `/usr/bin/${name}`,
    writable: () => true,
    euid: 0,
    env: {},
    ...changes,
  };
}

function verdicts(of: Host): Record<string, string> {
  return Object.fromEntries(examine(of).map(({ name, verdict }) => [name, verdict]));
}

test('a host with everything is ok throughout', () => {
  assert.deepEqual(new Set(Object.values(verdicts(host()))), new Set(['ok']));
});

test('each thing that is not there is told, with what to do', () => {
  const cases: [string, string, Host][] = [
    ['kernel', 'degraded', host({ files: { '/proc/sys/kernel/osrelease': '5.10.0\n' } })],
    ['kernel', 'missing', host({ files: { '/proc/sys/kernel/osrelease': undefined } })],
    ['rights', 'degraded', host({ euid: 1000 })],
    ['rights', 'degraded', host({ files: { '/proc/self/status': 'CapEff:\t000001fffeffffff\n' } })],
    ['rights', 'missing', host({ files: { '/proc/self/status': 'CapEff:\t0\n' } })],
    [
      'cgroups',
      'degraded',
      host({ fileSystem: (p) => (p === '/sys/fs/cgroup/unified' ? FS_MAGIC.CGROUP2 : 0) }),
    ],
    ['cgroups', 'degraded', host({ fileSystem: () => undefined })],
    ['user namespaces', 'degraded', host({ files: { '/proc/sys/user/max_user_namespaces': '0\n' } })],
    ['memory files', 'missing', host({ files: { '/proc/sys/vm/memfd_noexec': '2\n' } })],
    ['state folder', 'missing', host({ writable: () => false })],
    ['criu', 'degraded', host({ program: () => undefined })],
    ['criu', 'degraded', host({ criu: {} })],
    ['criu', 'degraded', host({ criu: { path: '/x/criu', version: '3.17', problem: 'too new a kernel' } })],
    ['seccomp', 'degraded', host({ exists: (path) => !path.includes('libseccomp') })],
  ];
  for (const [name, verdict, of] of cases) {
    const found = examine(of).find((result) => result.name === name);
    assert.equal(found?.verdict, verdict, name);
    assert.ok(found?.remedy, `${name} has a remedy`);
  }
});

test('the report is a line a check, and one more for what to do', () => {
  const text = report([
    { name: 'a', verdict: 'ok', found: 'fine' },
    { name: 'bcd', verdict: 'missing', found: 'none', remedy: 'get one' },
  ]);
  assert.equal(text, 'ok        a    fine\nmissing   bcd  none\n               get one\n');
});
