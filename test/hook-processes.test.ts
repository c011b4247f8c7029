/** What a hook is given and may do: its namespaces, environment, arguments, streams, and its company. */

import assert from 'node:assert/strict';
import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { HookPhase } from '../src/hooks/phases.ts';
import type { Hook } from '../src/spec/types.ts';
import {
  type Bundle,
  privateWorld,
  runtimes,
  session,
  tempBundle,
  temporaryFolder,
} from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { testsOf } from './support/inside.ts';

const { skip } = privateWorld();

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
