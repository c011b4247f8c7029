/** `linux.seccomp`, as the container's commands meet it. Its agent: seccomp-agent.test.ts. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { encode, instruction } from '../src/seccomp/bpf.ts';
import { readFilter, writeFilter } from '../src/seccomp/file.ts';
import { numberOf } from '../src/seccomp/testing/model.ts';
import type { LinuxSeccomp, LinuxSyscall } from '../src/spec/types.ts';
import {
  type Bundle,
  findCommand,
  inWorld,
  privateWorld,
  type Runtime,
  runtimes,
  session,
  type TestSpec,
} from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { look, lookAt, scriptBundle, sectionsOf, testsOf } from './support/inside.ts';
import { capabilitySets, statusFields } from './support/status.ts';

const { skip } = privateWorld();

/** 128 + SIGSYS. */
const KILLED_BY_FILTER = 128 + 31;

function fixture(name: string): LinuxSeccomp {
  return JSON.parse(readFileSync(join(import.meta.dirname, `../src/seccomp/fixtures/${name}.json`), 'utf8'));
}

/** A filter that allows all but what the rules say. */
function forbidding(...syscalls: LinuxSyscall[]): (spec: TestSpec) => void {
  return (spec) => {
    spec.linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW', syscalls };
  };
}

const MKDIR = ['mkdir', 'mkdirat'];
const CHMOD: LinuxSyscall[] = [
  { names: ['chmod'], action: 'SCMP_ACT_ERRNO', args: [{ index: 1, value: 0o777, op: 'SCMP_CMP_EQ' }] },
  { names: ['fchmodat'], action: 'SCMP_ACT_ERRNO', args: [{ index: 2, value: 0o777, op: 'SCMP_CMP_EQ' }] },
];

/** What a script sees that tries forbidden things. */
const PROBES = {
  mkdir: 'mkdir /tmp/folder',
  chmodSome: 'touch /tmp/file; chmod 700 /tmp/file',
  chmodAll: 'chmod 777 /tmp/file',
  unshare: 'unshare -m true',
  hostname: 'hostname changed',
  mount: 'mount -t tmpfs none /tmp',
  sync: 'sync',
};

const withTmp = (spec: TestSpec): void => {
  spec.mounts.push({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs' });
};

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('a forbidden call fails with the errno of its rule, of the default, or EPERM', (t) => {
    const tries = (config: (spec: TestSpec) => void): string =>
      look(
        t,
        runtime,
        { mkdir: 'mkdir /tmp/x' },
        {
          config: (spec) => {
            withTmp(spec);
            config(spec);
          },
        },
      ).mkdir!;
    const ERRNO = 'SCMP_ACT_ERRNO';
    assert.match(tries(forbidding({ names: MKDIR, action: ERRNO })), /Operation not permitted/);
    assert.match(tries(forbidding({ names: MKDIR, action: ERRNO, errnoRet: 28 })), /No space left on device/);
    assert.equal(tries(forbidding({ names: MKDIR, action: ERRNO, errnoRet: 0 })), '', 'feigned success');
    const docker = fixture('docker-default');
    const names = docker.syscalls![0]!.names.filter((name) => !MKDIR.includes(name));
    const others = {
      ...docker,
      syscalls: [{ ...docker.syscalls![0]!, names }, ...docker.syscalls!.slice(1)],
    };
    const withDefault = (defaultErrnoRet?: number) => (spec: TestSpec) => {
      spec.linux.seccomp = { ...others, defaultErrnoRet };
    };
    assert.match(tries(withDefault(undefined)), /Operation not permitted/);
    assert.match(tries(withDefault(6)), /No such device or address/);
  });

  for (const action of [
    'SCMP_ACT_KILL',
    'SCMP_ACT_KILL_THREAD',
    'SCMP_ACT_KILL_PROCESS',
    'SCMP_ACT_TRAP',
  ] as const) {
    it(`${action} ends the process`, (t) => {
      const { code, stdout } = lookAt(t, runtime, 'echo before; exec mkdir /tmp/x', {
        config: forbidding({ names: MKDIR, action }),
      });
      assert.deepEqual([code, stdout], [KILLED_BY_FILTER, 'before\n']);
    });
  }

  it('SCMP_ACT_LOG lets a call happen', (t) => {
    const { list } = look(
      t,
      runtime,
      { list: 'mkdir /tmp/x; ls /tmp' },
      {
        config: (spec) => {
          withTmp(spec);
          forbidding({ names: MKDIR, action: 'SCMP_ACT_LOG' })(spec);
        },
      },
    );
    assert.equal(list, 'x');
  });

  it('a rule may depend on arguments', (t) => {
    const seen = look(t, runtime, PROBES, {
      config: (spec) => {
        withTmp(spec);
        forbidding(...CHMOD)(spec);
      },
    });
    assert.equal(seen.chmodSome, '');
    assert.match(seen.chmodAll!, /Operation not permitted/);
  });

  for (const noNewPrivileges of [true, false]) {
    it(`the filter is in force with noNewPrivileges ${noNewPrivileges}, and no capability is left over`, (t) => {
      for (const uid of [0, 1000]) {
        const seen = look(
          t,
          runtime,
          { status: 'cat /proc/self/status', sync: 'sh -c sync 2>/dev/null; echo $?' },
          {
            config: (spec) => {
              spec.process.noNewPrivileges = noNewPrivileges;
              spec.process.user = { uid, gid: uid };
              forbidding({ names: ['sync'], action: 'SCMP_ACT_KILL' })(spec);
            },
          },
        );
        const fields = statusFields(seen.status!);
        assert.deepEqual(
          [fields.Seccomp, fields.Seccomp_filters, fields.NoNewPrivs],
          ['2', '1', noNewPrivileges ? '1' : '0'],
        );
        assert.equal(seen.sync, String(KILLED_BY_FILTER));
        const CAP_SYS_ADMIN = 1n << 21n;
        const sets = capabilitySets(seen.status!);
        for (const [name, set] of Object.entries(sets))
          assert.equal(set & CAP_SYS_ADMIN, 0n, `${name} of ${uid}`);
        if (uid !== 0) assert.deepEqual([sets.eff, sets.prm], [0n, 0n]);
      }
    });
  }

  it('the default profiles of Docker and Podman', (t) => {
    const under = (name: string): Record<string, string> =>
      look(t, runtime, PROBES, {
        config: (spec) => {
          withTmp(spec);
          spec.linux.seccomp = fixture(name);
        },
      });
    const docker = under('docker-default');
    assert.deepEqual([docker.mkdir, docker.chmodAll, docker.sync], ['', '', '']);
    for (const name of ['unshare', 'hostname', 'mount'])
      assert.match(docker[name]!, /not permitted|denied/, name);
    const podman = under('podman-default');
    assert.deepEqual([podman.mkdir, podman.chmodAll, podman.sync], ['', '', '']);
  });

  it('calls that are newer than the profile are unknown, older ones forbidden', (t) => {
    if (process.arch !== 'x64') return t.skip('by numbers of x86-64');
    const docker = fixture('docker-default').syscalls![0]!;
    // unshare has 272, and openat 257
    const old = docker.names.filter(
      (name) => !MKDIR.includes(name) && (numberOf('SCMP_ARCH_X86_64', name) ?? 999) < 257,
    );
    const seen = look(
      t,
      runtime,
      { mkdir: 'mkdir /x', unshare: 'unshare -m true' },
      {
        config: (spec) => {
          spec.linux.seccomp = {
            defaultAction: 'SCMP_ACT_ERRNO',
            architectures: ['SCMP_ARCH_X86_64'],
            syscalls: [{ names: [...old, 'clone', 'openat'], action: 'SCMP_ACT_ALLOW' }],
          };
        },
      },
    );
    assert.match(seen.mkdir!, /Operation not permitted/);
    assert.match(seen.unshare!, /Function not implemented/);
  });

  it('exec is under the container’s filter', (t) => {
    const bundle = scriptBundle(t, 'sleep 100', {
      config: forbidding({ names: MKDIR, action: 'SCMP_ACT_ERRNO', errnoRet: 28 }),
    });
    const it = session(t, runtime);
    const { id } = it.detach(bundle);
    assert.equal(it.ok(['exec', id, 'grep', 'Seccomp:', '/proc/self/status']).trim(), 'Seccomp:\t2');
    assert.match(it.call(['exec', id, 'mkdir', '/tmp/x']).stderr, /No space left on device/);
  });

  it('hooks of the container’s image are under its filter', (t) => {
    const bundle = scriptBundle(t, 'cat /tmp/seen', {
      config: (spec) => {
        withTmp(spec);
        forbidding({ names: MKDIR, action: 'SCMP_ACT_ERRNO', errnoRet: 28 })(spec);
        const script = 'grep Seccomp: /proc/self/status >/tmp/seen; mkdir /tmp/x 2>>/tmp/seen; true';
        spec.hooks = { startContainer: [{ path: '/bin/sh', args: ['sh', '-c', script] }] };
      },
    });
    const { stdout } = session(t, runtime).run(bundle);
    assert.match(stdout, /^Seccomp:\t2\n.*No space left on device/);
  });

  it('an empty object is no filter', (t) => {
    const { status } = look(
      t,
      runtime,
      { status: 'cat /proc/self/status' },
      {
        config: (spec) => {
          spec.linux.seccomp = {};
        },
      },
    );
    assert.equal(statusFields(status!).Seccomp, '0');
  });

  if (runtime.name.startsWith('runts')) ownTests(runtime, it);
}

/** What other runtimes do differently. */
function ownTests(runtime: Runtime, it: ReturnType<typeof testsOf>): void {
  for (const noNewPrivileges of [true, false]) {
    it(`none of the runtime’s own calls but execve is under the filter, noNewPrivileges ${noNewPrivileges}`, (t) => {
      // All that init calls on its way, as the plan has it.
      const own = [
        ...['read', 'write', 'writev', 'close', 'close_range', 'openat', 'openat2', 'faccessat2', 'fchdir'],
        ...['chdir', 'getcwd', 'umask', 'capset', 'setresuid', 'setresgid', 'setgroups', 'setsid', 'fchown'],
        ...['mount', 'umount2', 'pivot_root', 'move_mount', 'open_tree', 'mount_setattr', 'keyctl', 'dup3'],
      ];
      const bundle = scriptBundle(t, '', {
        config: (spec) => {
          spec.process.args = ['true'];
          spec.process.noNewPrivileges = noNewPrivileges;
          forbidding({ names: own, action: 'SCMP_ACT_KILL_PROCESS' })(spec);
        },
      });
      const it = session(t, runtime);
      const { code, stderr } = it.run(bundle);
      assert.deepEqual([code, stderr], [0, '']);
      const { id } = it.create(bundle);
      it.ok(['start', id]);
    });
  }

  it('a profile is compiled once; an entry that is damaged is replaced', (t) => {
    const bundle = scriptBundle(t, '', { config: filtered });
    const it = session(t, runtime);
    it.run(bundle);
    const cache = join(it.root, '.cache/seccomp');
    const [name, ...others] = readdirSync(cache);
    assert.deepEqual(others, []);
    const path = join(cache, name!);
    const before = readFileSync(path);
    writeFileSync(path, before.subarray(0, before.length - 7));
    const { code, stderr } = it.run(bundle);
    assert.deepEqual([code, stderr], [0, '']);
    assert.deepEqual(readFileSync(path), before);
  });

  it('the cache is no container', (t) => {
    const it = session(t, runtime);
    it.run(scriptBundle(t, '', { config: filtered }));
    const { code, stdout, stderr } = it.call(['list', '--quiet']);
    assert.deepEqual([code, stdout, stderr], [0, '', '']);
    const failure = failureOf(it.call(['delete', '--force', '.cache'], { globals: JSON_LOG }));
    assert.equal(failure.code, 'E_ID_INVALID');
  });

  it('what the kernel refuses to load is an error of `run`, and of `start`', (t) => {
    const it = session(t, runtime);
    const bundle = scriptBundle(t, '', { config: filtered });
    it.run(bundle);
    const [name] = readdirSync(join(it.root, '.cache/seccomp'));
    const path = join(it.root, '.cache/seccomp', name!);
    const { text } = readFilter(path)!;
    // no instruction that ends it
    writeFilter(path, { program: encode([instruction(0x20, 0)]), flags: 0, notify: false }, text);
    const message = /unable to start container process: linux\.seccomp: seccomp.*invalid argument \(EINVAL\)/;
    const failed = failureOf(it.run(bundle, { globals: JSON_LOG }));
    assert.deepEqual([failed.exit, failed.code], [1, 'E_INIT']);
    assert.match(failed.msg, message);
    const { id } = it.create(bundle);
    const late = failureOf(it.call(['start', id], { globals: JSON_LOG }));
    assert.deepEqual([late.exit, late.code], [1, 'E_INIT']);
    assert.match(late.msg, message);
  });

  it('without libseccomp a profile is an error, and `plan` says what it lacks', (t) => {
    const bundle = scriptBundle(t, 'echo ran', { config: filtered });
    const without = (...args: string[]): { code: number | null; stdout: string; stderr: string } => {
      const library = findLibrary();
      const command = [
        ...runtime.command,
        '--root',
        `${bundle.path}/state`,
        ...args,
        '--bundle',
        bundle.path,
      ];
      const script = `mount --bind /dev/null ${library} && exec "$@"`;
      const { status, stdout, stderr } = inWorld({}, ['sh', '-c', script, 'sh', ...command]);
      return { code: status, stdout: String(stdout), stderr: String(stderr) };
    };
    const run = without('run', 'c');
    assert.equal(run.code, 1);
    assert.match(run.stderr, /linux\.seccomp: no usable libseccomp\.so\.2: .*apt-get install libseccomp2/);
    assert.equal(run.stdout, '');
    const plan = without('plan');
    assert.equal(plan.code, 0);
    assert.match(plan.stderr, /level=warning.*the plan is without the system call filter.*libseccomp/);
    assert.ok(plan.stdout.includes('execve'));
    bundle.config.linux.seccomp = undefined;
    bundle.save();
    assert.equal(without('run', 'c').stdout, 'ran\n');
  });

  it('wrong profiles are refused with the field, before anything is made', (t) => {
    const it = session(t, runtime);
    const bundle = scriptBundle(t, 'true', {});
    const refused = (seccomp: unknown, pattern: RegExp): void => {
      bundle.config.linux.seccomp = seccomp as LinuxSeccomp;
      bundle.save();
      const failure = failureOf(it.run(bundle, { globals: JSON_LOG }));
      assert.deepEqual([failure.exit, failure.code], [1, 'E_CONFIG_INVALID'], failure.msg);
      assert.match(failure.msg, pattern);
    };
    const rule = { names: ['kill'], action: 'SCMP_ACT_ERRNO' };
    const allow = { defaultAction: 'SCMP_ACT_ALLOW' };
    const arg = { index: 0, value: 1, op: 'SCMP_CMP_EQ' };
    refused({ syscalls: [rule] }, /linux\.seccomp\.defaultAction/);
    refused({ defaultAction: 'SCMP_ACT_DENY' }, /linux\.seccomp\.defaultAction.*"SCMP_ACT_DENY"/);
    refused({ defaultAction: 'SCMP_ACT_NOTIFY' }, /SCMP_ACT_NOTIFY cannot be used as default action/);
    refused({ ...allow, defaultErrnoRet: 5 }, /linux\.seccomp\.defaultErrnoRet/);
    refused({ ...allow, flags: ['SECCOMP_FILTER_FLAG_X'] }, /linux\.seccomp\.flags\[0\]/);
    refused({ ...allow, architectures: ['SCMP_ARCH_VAX'] }, /linux\.seccomp\.architectures\[0\]/);
    refused({ ...allow, syscalls: [{ ...rule, action: 'SCMP_ACT_X' }] }, /syscalls\[0\]\.action/);
    refused({ ...allow, syscalls: [{ ...rule, errnoRet: 4095 }] }, /syscalls\[0\]\.errnoRet.*4094/);
    refused({ ...allow, syscalls: [rule, { ...rule, names: [] }] }, /syscalls\[1\]\.names/);
    refused(
      { ...allow, syscalls: [{ ...rule, args: [arg, { ...arg, op: 'SCMP_CMP_X' }] }] },
      /syscalls\[0\]\.args\[1\]\.op/,
    );
    refused(
      { ...allow, syscalls: [{ ...rule, args: [{ ...arg, index: 6 }] }] },
      /syscalls\[0\]\.args\[0\]\.index/,
    );
    refused({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: [rule] }, /forbids execve/);
    const notify = { names: ['mkdir', 'write'], action: 'SCMP_ACT_NOTIFY' };
    refused(
      { ...allow, listenerPath: '/run/x.sock', syscalls: [notify] },
      /syscalls\[0\]\.names\[1\]: SCMP_ACT_NOTIFY cannot be used for the write syscall/,
    );
    refused({ ...allow, syscalls: [{ ...notify, names: ['mkdir'] }] }, /linux\.seccomp\.listenerPath/);
    refused({ ...allow, listenerMetadata: 'x' }, /linux\.seccomp\.listenerMetadata/);
  });

  it('the same profile means the same to runc', (t) => {
    const runc = findCommand('runc');
    if (runc === undefined) return t.skip('needs runc');
    for (const seccomp of comparable()) {
      const seen: Record<string, string>[] = [runtime, { name: 'runc', command: [runc] }].map((each) =>
        answers(t, each, seccomp),
      );
      assert.deepEqual(seen[0], seen[1], JSON.stringify(seccomp).slice(0, 300));
    }
  });
}

function filtered(spec: TestSpec): void {
  forbidding({ names: MKDIR, action: 'SCMP_ACT_ERRNO' })(spec);
}

/** Profiles that runc 1.1 takes (it has no flags), in which no two rules for a call contradict each other. */
function comparable(): LinuxSeccomp[] {
  const docker = fixture('docker-default');
  const allow = { defaultAction: 'SCMP_ACT_ALLOW' } as const;
  return [
    docker,
    { ...docker, defaultErrnoRet: 38 },
    { ...docker, defaultErrnoRet: undefined, architectures: undefined },
    fixture('podman-default'),
    { ...allow, syscalls: CHMOD },
    { ...allow, syscalls: [{ names: [...MKDIR, 'sync'], action: 'SCMP_ACT_KILL' }] },
    { ...allow, syscalls: [{ names: ['unshare', 'no_such_call'], action: 'SCMP_ACT_ERRNO', errnoRet: 95 }] },
  ];
}

function answers(t: TestContext, runtime: Runtime, seccomp: LinuxSeccomp): Record<string, string> {
  const script = Object.entries(PROBES).map(
    ([name, command]) => `echo @${name}; { ${command}; } 2>&1; echo $?`,
  );
  const bundle: Bundle = scriptBundle(t, `${script.join('\n')}\nexit 0`, {
    config: (spec) => {
      withTmp(spec);
      spec.linux.seccomp = seccomp;
    },
  });
  const { code, stdout, stderr } = session(t, runtime).run(bundle);
  assert.deepEqual([code, stderr], [0, ''], `${runtime.name}: ${stdout}`);
  return sectionsOf(stdout);
}

/** The file that dlopen(3) finds. */
function findLibrary(): string {
  const folders = ['/lib/x86_64-linux-gnu', '/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib', '/lib'];
  for (const folder of folders) {
    const path = `${folder}/libseccomp.so.2`;
    try {
      readFileSync(path);
      return path;
    } catch {
      // elsewhere
    }
  }
  throw new Error('no libseccomp.so.2 to hide');
}
