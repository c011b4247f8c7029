/** What a hook is given and may do: its namespaces, environment, arguments, streams, and its company. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { KEYCTL } from '../ffi/constants/index.ts';
import { syscall } from '../ffi/local.ts';
import { callKernel } from '../ffi/native.ts';
import type { HookPhase } from '../src/hooks/phases.ts';
import type { Hook } from '../src/spec/types.ts';
import {
  type Bundle,
  privateWorld,
  type Runtime,
  runtimes,
  session,
  type TestSpec,
  tempBundle,
  temporaryFolder,
  uniqueId,
} from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { type LookOptions, look, printing, type Sections, sectionsOf, testsOf } from './support/inside.ts';
import { statusFields } from './support/status.ts';

const { skip } = privateWorld();
const withoutKeys = !existsSync('/proc/keys') && 'the kernel has no keyrings';

const PATH = 'PATH=/bin:/usr/bin';
const NAMESPACES = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'uts'] as const;
const PHASES = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
] as const;

function shell(text: string, more: Partial<Hook> = {}): Hook {
  return { path: '/bin/sh', args: ['sh', '-c', text], env: [PATH], ...more };
}

/** A bundle whose hooks and command find a folder of the host where it is outside. */
function hookedBundle(
  t: TestContext,
  folder: string,
  hooks: Partial<Record<HookPhase, Hook[]>>,
  command = 'true',
): Bundle {
  return tempBundle(t, {
    args: ['sh', '-c', command],
    config: (spec) => {
      spec.hooks = hooks;
      spec.mounts.push({ destination: folder, source: folder, options: ['bind'] });
    },
  });
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('each phase runs in the namespaces that the specification gives it', (t) => {
    const folder = temporaryFolder(t);
    const show = NAMESPACES.map((name) => `readlink /proc/self/ns/${name}`).join('; ');
    const hooks = Object.fromEntries(
      PHASES.map((phase) => [phase, [shell(`(${show}) > ${folder}/${phase}`)]]),
    );
    const { code, stderr } = session(t, runtime).run(
      hookedBundle(t, folder, hooks, `(${show}) > ${folder}/command`),
    );
    assert.deepEqual([code, stderr], [0, '']);
    const seen = (name: string): string[] => readFileSync(join(folder, name), 'utf8').trim().split('\n');
    const mine = NAMESPACES.map((name) => readlinkSync(`/proc/self/ns/${name}`));
    for (const phase of PHASES) {
      const inside = phase === 'createContainer' || phase === 'startContainer';
      assert.deepEqual(seen(phase), inside ? seen('command') : mine, phase);
    }
    assert.ok(seen('command').every((link, i) => link !== mine[i]));
  });

  it('the hooks of a phase run in order, one after the other, until one fails', (t) => {
    const folder = temporaryFolder(t);
    const s = session(t, runtime);
    const note = (name: string): Hook => shell(`sleep 0.05; echo ${name} >> ${folder}/log`);
    const ran = hookedBundle(t, folder, {
      createRuntime: ['a', 'b', 'c'].map(note),
      poststop: ['d', 'e'].map(note),
    });
    assert.equal(s.run(ran).code, 0);
    assert.equal(readFileSync(join(folder, 'log'), 'utf8'), 'a\nb\nc\nd\ne\n');
    writeFileSync(join(folder, 'log'), '');
    const failing = hookedBundle(t, folder, {
      createRuntime: [note('a'), shell('exit 3'), note('b')],
      createContainer: [note('c')],
      poststop: [shell('exit 4'), note('d')],
    });
    const { code, stdout, stderr } = s.run(failing);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /error running createRuntime hook #1: exit status 3/);
    assert.match(stderr, /level=warning.*error running poststop hook #0: exit status 4/);
    assert.equal(readFileSync(join(folder, 'log'), 'utf8'), 'a\nd\n');
  });

  it('arguments and environment are the config’s alone', (t) => {
    const folder = temporaryFolder(t);
    const dump = `tr "\\0" "\\n" < /proc/$$/cmdline > ${folder}/args; tr "\\0" "\\n" < /proc/$$/environ > ${folder}/env`;
    const bundle = hookedBundle(t, folder, {
      createRuntime: [
        { path: '/bin/sh', args: ['a name', '-c', dump, 'x y', ''], env: [PATH, 'A=1 2', 'A=3'] },
      ],
    });
    const { code, stderr } = session(t, runtime).run(bundle, {
      env: { PATH: process.env.PATH ?? '', LEAK: 'of the runtime' },
    });
    assert.deepEqual([code, stderr], [0, '']);
    assert.deepEqual(readFileSync(join(folder, 'args'), 'utf8').split('\n'), [
      'a name',
      '-c',
      dump,
      'x y',
      '',
      '',
    ]);
    assert.equal(readFileSync(join(folder, 'env'), 'utf8'), `${PATH}\nA=1 2\nA=3\n`);
  });

  it('the state on standard input has the annotations, and need not be read', (t) => {
    const folder = temporaryFolder(t);
    const bundle = hookedBundle(t, folder, {
      createRuntime: [{ path: '/bin/true' }, shell(`cat > ${folder}/state`)],
    });
    // More than a pipe holds: a hook that doesn't read must not block the runtime.
    bundle.config.annotations = { 'org.example.big': 'x'.repeat(300_000), 'org.example.key': 'välue\n' };
    bundle.save();
    const { code, stderr, id } = session(t, runtime).run(bundle);
    assert.deepEqual([code, stderr], [0, '']);
    const state = JSON.parse(readFileSync(join(folder, 'state'), 'utf8'));
    assert.deepEqual(Object.keys(state).sort(), [
      'annotations',
      'bundle',
      'id',
      'ociVersion',
      'pid',
      'status',
    ]);
    assert.deepEqual([state.id, state.status, state.bundle], [id, 'creating', bundle.path]);
    assert.deepEqual(state.annotations, bundle.config.annotations);
  });

  it('a hook that a signal ends, that prints much, or that leaves something running', (t) => {
    const folder = temporaryFolder(t);
    const s = session(t, runtime);
    const fail = (hook: Hook): string =>
      failureOf(s.run(hookedBundle(t, folder, { createRuntime: [hook] }), { globals: JSON_LOG })).msg;
    assert.match(fail(shell('kill -SEGV $$')), /createRuntime hook #0: signal: segmentation fault/);
    const much = fail(
      shell('i=0; while [ $i -lt 20000 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done; exit 9'),
    );
    assert.match(much, /exit status 9, stdout: .*out 19999/s);
    assert.ok(much.length < 40_000, `${much.length} characters`);
    const began = performance.now();
    const background = shell(`sleep 8 & echo $! > ${folder}/pid; exit 0`);
    assert.equal(s.run(hookedBundle(t, folder, { createRuntime: [background] })).code, 0);
    assert.ok(performance.now() - began < 7000, 'waited for what the hook left');
    process.kill(Number(readFileSync(join(folder, 'pid'), 'utf8')), 'SIGKILL');
  });

  it('a timeout counts for its hook alone, and what is quick is not killed', (t) => {
    const folder = temporaryFolder(t);
    const hooks = [1, 2, 3].map(() => shell('sleep 0.4', { timeout: 1 }));
    assert.equal(session(t, runtime).run(hookedBundle(t, folder, { createRuntime: hooks })).code, 0);
  });

  it('createContainer may still change the root, startContainer finds it as it will be', (t) => {
    const folder = temporaryFolder(t);
    const bundle = hookedBundle(
      t,
      folder,
      {
        createContainer: [shell('echo made > etc/made; ls -d /proc/1/root > /dev/null; pwd')],
        startContainer: [shell(`cat /etc/made > ${folder}/seen; pwd >> ${folder}/seen`)],
      },
      'cat /etc/made',
    );
    const { code, stdout, stderr } = session(t, runtime).run(bundle);
    assert.deepEqual([code, stdout, stderr], [0, 'made\n', '']);
    assert.equal(readFileSync(join(folder, 'seen'), 'utf8'), 'made\n/\n');
  });
}

/** add_key(2), which the product has no use for. */
const ADD_KEY = process.arch === 'x64' ? 248 : 217;
const SESSION_KEYRING = -3;
/** KEY_POS_ALL: a key that is seen by those alone who have it in a keyring of theirs. */
const POSSESSOR_ALONE = 0x3f000000;

/** Gives this process, and the runtimes that it starts, a session keyring with a key in it. */
function keyOfTheCaller(description: string): void {
  syscall('keyctl', [KEYCTL.JOIN_SESSION_KEYRING, null]);
  const payload = new Uint8Array([115, 101, 99, 114, 101, 116]);
  const key = callKernel(ADD_KEY, ['user', description, payload, payload.length, SESSION_KEYRING]);
  assert.ok(key > 0, `add_key: ${key}`);
  syscall('keyctl', [KEYCTL.SETPERM, key, POSSESSOR_ALONE]);
  assert.ok(readFileSync('/proc/keys', 'utf8').includes(description));
}

/** What confines or favours a process, but for what namespaces and cgroups do. */
const CONFINEMENT = {
  limits: 'cat /proc/self/limits',
  oomScore: 'cat /proc/self/oom_score_adj',
  umask: 'umask',
  personality: 'cat /proc/self/personality',
  scheduling: 'cut -d" " -f18,19,40,41 /proc/self/stat',
  status: 'cat /proc/self/status',
};

const STATUS = [
  ...['Uid', 'Gid', 'Groups', 'CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'],
  ...['NoNewPrivs', 'Seccomp', 'Cpus_allowed_list'],
];

function confinement(seen: Sections): Record<string, unknown> {
  const fields = statusFields(seen.status ?? '');
  return { ...seen, status: STATUS.map((name) => [name, fields[name]]) };
}

/** What a startContainer hook and the command after it see. */
function hookAndCommand(
  t: TestContext,
  runtime: Runtime,
  commands: Record<string, string>,
  {
    config,
    prepare,
    flags,
  }: { config: (spec: TestSpec) => void; prepare?: (rootfs: string) => void } & Pick<LookOptions, 'flags'>,
): { hook: Sections; command: Sections } {
  const { hook = '', ...command } = look(
    t,
    runtime,
    { ...commands, hook: 'sed "s/^@/%/" /seen' },
    {
      flags,
      own: (rootfs) => {
        writeFileSync(join(rootfs, 'seen'), '');
        chmodSync(join(rootfs, 'seen'), 0o666);
        prepare?.(rootfs);
      },
      config: (spec) => {
        config(spec);
        spec.hooks = { startContainer: [shell(`(${printing(commands)}) > /seen`)] };
      },
    },
  );
  return { hook: sectionsOf(hook.replace(/^%/gm, '@')), command };
}

const BASE = 100_000;

function inUserNamespace(spec: TestSpec): void {
  spec.linux.namespaces.push({ type: 'user' });
  spec.linux.uidMappings = [{ containerID: 0, hostID: BASE, size: 65_536 }];
  spec.linux.gidMappings = [{ containerID: 0, hostID: BASE, size: 65_536 }];
}

/** A root file system that belongs to the container's root, which must be able to reach it. */
function ownByMapped(rootfs: string): void {
  for (const above of ['..', '../..']) chmodSync(join(rootfs, above), 0o711);
  assert.equal(spawnSync('chown', ['-R', `${BASE}:${BASE}`, rootfs]).status, 0);
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  for (const [where, mapped] of [
    ['', false],
    [', in a user namespace', true],
  ] as const) {
    for (const user of [
      { uid: 0, gid: 0 },
      { uid: 1000, gid: 7, additionalGids: [5], umask: 0o027 },
    ]) {
      it(`a startContainer hook is confined as the command is${where}, as user ${user.uid}`, (t) => {
        const { hook, command } = hookAndCommand(t, runtime, CONFINEMENT, {
          prepare: mapped ? ownByMapped : undefined,
          config: (spec) => {
            if (mapped) inUserNamespace(spec);
            Object.assign(spec.process, { user, oomScoreAdj: 500, noNewPrivileges: true });
            spec.process.rlimits = [
              { type: 'RLIMIT_NOFILE', soft: 1024, hard: 2048 },
              { type: 'RLIMIT_NPROC', soft: 3000, hard: 4000 },
              { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
            ];
            spec.process.scheduler = { policy: 'SCHED_BATCH', nice: 5 };
            spec.linux.personality = { domain: 'LINUX32' };
          },
        });
        assert.match(hook.limits ?? '', /^Max open files +1024 +2048 /m);
        assert.equal(hook.oomScore, '500');
        assert.deepEqual(confinement(hook), confinement(command));
      });
    }
  }

  it('a createContainer hook, a program of the host, keeps what the runtime has', (t) => {
    const folder = temporaryFolder(t);
    const bundle = hookedBundle(t, folder, {
      createContainer: [shell(`(ulimit -n; cat /proc/self/oom_score_adj) > ${folder}/seen`)],
    });
    Object.assign(bundle.config.process, { oomScoreAdj: 500 });
    bundle.config.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 77, hard: 78 }];
    bundle.save();
    const own = readFileSync('/proc/self/oom_score_adj', 'utf8').trim();
    assert.deepEqual(session(t, runtime).run(bundle).code, 0);
    const [files, score] = readFileSync(join(folder, 'seen'), 'utf8').trim().split('\n');
    assert.notEqual(files, '77');
    assert.equal(score, own);
  });

  it('a startContainer hook that is not there is an error, and nothing is left', (t) => {
    const missing: Hook = { path: '/nowhere', args: ['nowhere'] };
    for (const mapped of [false, true]) {
      const bundle = tempBundle(t, {
        args: ['true'],
        config: (spec) => {
          if (mapped) inUserNamespace(spec);
          spec.hooks = { startContainer: [missing] };
        },
      });
      if (mapped) ownByMapped(bundle.rootfs);
      const { code, stderr } = session(t, runtime).run(bundle);
      assert.equal(code, 1);
      assert.match(stderr, /startContainer hook #0: fork\/exec \/nowhere: no such file or directory/);
    }
  });
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip || withoutKeys);
  const keys = { keys: 'cat /proc/keys' };
  const visible = (spec: TestSpec): void => {
    spec.linux.maskedPaths = [];
  };
  const names = (text = ''): string[] =>
    [...text.matchAll(/ (?:keyring|user) +(.*?): /g)].map(([, name]) => name!).sort();

  for (const [where, mapped] of [
    ['', false],
    [', in a user namespace', true],
  ] as const) {
    it(`a startContainer hook has none of the caller’s keys, but the container’s keyring${where}`, (t) => {
      const secret = `secret-${uniqueId()}`;
      keyOfTheCaller(secret);
      const { hook, command } = hookAndCommand(t, runtime, keys, {
        prepare: mapped ? ownByMapped : undefined,
        config: (spec) => {
          visible(spec);
          if (mapped) inUserNamespace(spec);
        },
      });
      assert.ok(!names(hook.keys).includes(secret), hook.keys);
      const rings = (text = ''): string[] => names(text).filter((name) => name.startsWith('_ses.'));
      assert.equal(rings(hook.keys).length, rings(command.keys).length, hook.keys);
      assert.deepEqual(rings(hook.keys), rings(command.keys));
    });
  }

  it('with --no-new-keyring a startContainer hook has what the command has', (t) => {
    const secret = `secret-${uniqueId()}`;
    keyOfTheCaller(secret);
    const { hook, command } = hookAndCommand(t, runtime, keys, {
      flags: ['--no-new-keyring'],
      config: visible,
    });
    assert.ok(names(hook.keys).includes(secret), hook.keys);
    assert.ok(names(command.keys).includes(secret), command.keys);
  });
}
