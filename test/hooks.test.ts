import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { HookPhase } from '../src/hooks/phases.ts';
import type { Hook } from '../src/spec/types.ts';
import {
  type Bundle,
  privateWorld,
  runtimes,
  session,
  tempBundle,
  temporaryFolder,
  uniqueId,
} from './harness/index.ts';

const { skip } = privateWorld();

const PHASES: readonly HookPhase[] = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
];

/** A bundle whose hooks of all phases write what they see into a log, and some of which then do more. */
function bundleWithHooks(
  t: TestContext,
  more: Partial<Record<HookPhase, string>> = {},
): { bundle: Bundle; log: string } {
  const folder = temporaryFolder(t);
  const log = join(folder, 'log');
  const hook = (phase: HookPhase): Hook => {
    const text = `read -r state; echo "${phase} $state $(readlink /proc/self/ns/uts) $(pwd)" >> ${log}; ${more[phase] ?? ''}`;
    return { path: '/bin/sh', args: ['sh', '-c', text], env: ['PATH=/bin:/usr/bin'] };
  };
  const bundle = tempBundle(t, {
    args: ['sh', '-c', `echo container >> ${log}`],
    config: (spec) => {
      spec.hooks = Object.fromEntries(PHASES.map((phase) => [phase, [hook(phase)]]));
      // The hooks inside find the log where it is outside.
      spec.mounts.push({ destination: folder, type: 'none', source: folder, options: ['bind'] });
    },
  });
  writeFileSync(log, '');
  return { bundle, log };
}

/** A container that goes on for long, with a poststart hook that hangs until it is told to end. */
function bundleWithHangingHook(t: TestContext, exitCode: number) {
  const folder = temporaryFolder(t);
  const script = `touch ${folder}/here; while [ ! -e ${folder}/go ]; do sleep 0.05; done; exit ${exitCode}`;
  const bundle = tempBundle(t, {
    args: ['sleep', '1000'],
    config: (spec) => {
      const env = ['PATH=/bin:/usr/bin'];
      spec.hooks = { poststart: [{ path: '/bin/sh', args: ['sh', '-c', script], env }] };
    },
  });
  const reached = async (): Promise<void> => {
    while (!existsSync(join(folder, 'here'))) await setTimeout(20);
  };
  return { bundle, reached, goOn: () => writeFileSync(join(folder, 'go'), '') };
}

interface Entry {
  phase: string;
  state: Record<string, unknown>;
  uts: string;
  cwd: string;
}

function entriesOf(log: string): Entry[] {
  return readFileSync(log, 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const match = /^(\w+)(?: (\{.*\}) (\S+) (.*))?$/.exec(line);
      assert.ok(match, line);
      const [, phase = '', state = '{}', uts = '', cwd = ''] = match;
      return { phase, state: JSON.parse(state) as Record<string, unknown>, uts, cwd };
    });
}

for (const runtime of runtimes()) {
  test(`${runtime.name}: hooks of all phases, in order, each with its state and its namespaces`, {
    skip,
  }, (t) => {
    const s = session(t, runtime);
    const { bundle, log } = bundleWithHooks(t);
    const { id, code, output } = s.create(bundle);
    assert.equal(code, 0, output());
    const { pid } = s.state(id);
    s.ok(['start', id]);
    s.ok(['delete', '--force', id]);
    const entries = entriesOf(log);
    assert.deepEqual(
      entries.map(({ phase, state }) => [phase, state.status]),
      [
        ['prestart', runtime.name === 'runc' ? 'creating' : 'created'],
        ['createRuntime', 'creating'],
        ['createContainer', 'creating'],
        ['startContainer', 'created'],
        ['container', undefined],
        ['poststart', 'running'],
        ['poststop', 'stopped'],
      ].sort(
        (a, b) => entries.findIndex((e) => e.phase === a[0]) - entries.findIndex((e) => e.phase === b[0]),
      ),
    );
    const order = entries.map(({ phase }) => phase).filter((phase) => phase !== 'container');
    assert.deepEqual(order, PHASES);
    for (const { phase, state, uts } of entries.filter((entry) => entry.phase !== 'container')) {
      assert.equal(state.id, id);
      assert.equal(state.bundle, bundle.path);
      if (phase !== 'poststop') assert.equal(state.pid, pid, phase);
      const inside = phase === 'createContainer' || phase === 'startContainer';
      assert.equal(uts !== entries[0]!.uts, inside, phase);
    }
  });

  for (const phase of ['prestart', 'createRuntime', 'createContainer'] as const) {
    test(`${runtime.name}: a failing ${phase} hook fails create, and nothing is left`, { skip }, (t) => {
      const s = session(t, runtime);
      const { bundle, log } = bundleWithHooks(t, { [phase]: 'echo because >&2; exit 5' });
      const { id, code, stderr } = s.create(bundle);
      assert.equal(code, 1);
      assert.match(
        stderr,
        new RegExp(`error running ${phase} hook #0: exit status 5, stdout: , stderr: because`),
      );
      assert.equal(s.call(['state', id]).code, 1);
      const phases = entriesOf(log).map((entry) => entry.phase);
      assert.deepEqual(phases, [...PHASES.slice(0, PHASES.indexOf(phase) + 1), 'poststop']);
    });
  }

  test(`${runtime.name}: a failing startContainer hook fails start, and the command never runs`, {
    skip,
  }, async (t) => {
    const s = session(t, runtime);
    const { bundle, log } = bundleWithHooks(t, { startContainer: 'exit 5' });
    const { id } = s.create(bundle);
    const { code, stderr } = s.call(['start', id]);
    assert.equal(code, 1);
    assert.match(stderr, /error running startContainer hook #0: exit status 5/);
    await s.waitFor(id, 'stopped').catch(() => s.waitFor(id, 'gone'));
    assert.doesNotMatch(readFileSync(log, 'utf8'), /^container/m);
  });

  test(`${runtime.name}: a failing poststart hook fails start, and the container is stopped`, {
    skip,
  }, async (t) => {
    const s = session(t, runtime);
    const { bundle } = bundleWithHooks(t, { poststart: 'exit 5' });
    bundle.config.process.args = ['sleep', '60'];
    bundle.save();
    const { id } = s.create(bundle);
    const { code, stderr } = s.call(['start', id]);
    assert.equal(code, 1);
    assert.match(stderr, /error running poststart hook #0: exit status 5/);
    await s.waitFor(id, 'stopped').catch(() => s.waitFor(id, 'gone'));
  });

  test(`${runtime.name}: a failing poststop hook is a warning`, { skip }, (t) => {
    const s = session(t, runtime);
    const { bundle } = bundleWithHooks(t, { poststop: 'exit 5' });
    const { id, output } = s.create(bundle);
    assert.doesNotMatch(output(), /hook/);
    const { code, stderr } = s.call(['delete', '--force', id]);
    assert.equal(code, 0);
    assert.match(stderr, /warning.*error running poststop hook #0: exit status 5/);
  });

  test(`${runtime.name}: a hook is killed after its timeout`, { skip }, (t) => {
    const { bundle } = bundleWithHooks(t, { createRuntime: 'sleep 61 & sleep 61' });
    bundle.config.hooks!.createRuntime![0]!.timeout = 1;
    bundle.save();
    const began = performance.now();
    const { code, stderr } = session(t, runtime).create(bundle);
    assert.equal(code, 1);
    assert.match(stderr, /error running createRuntime hook #0: hook ran past specified timeout of 1\.0s/);
    assert.ok(performance.now() - began < 10_000);
  });

  test(`${runtime.name}: a hook that is missing`, { skip }, (t) => {
    const s = session(t, runtime);
    for (const phase of ['createRuntime', 'createContainer'] as const) {
      const bundle = tempBundle(t, {
        config: (spec) => {
          spec.hooks = { [phase]: [{ path: '/bin/true' }, { path: '/no/such' }] };
        },
      });
      const { code, stderr } = s.create(bundle);
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`${phase} hook #1: fork/exec /no/such: no such file or directory`));
    }
  });

  test(`${runtime.name}: a startContainer hook is the image's, and has the environment of the command`, {
    skip,
  }, (t) => {
    const bundle = tempBundle(t, {
      args: ['cat', '/tmp/env'],
      config: (spec) => {
        spec.process.env.push('OF=command');
        spec.hooks = {
          startContainer: [{ path: '/bin/sh', args: ['sh', '-c', 'env > /tmp/env; id -u >> /tmp/env'] }],
        };
      },
    });
    const { code, stdout, stderr } = session(t, runtime).run(bundle);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^OF=command$/m);
    assert.ok(existsSync(join(bundle.rootfs, 'tmp/env')));
  });

  test(`${runtime.name}: a poststart hook may change its container`, { skip }, (t) => {
    const s = session(t, runtime);
    const update = [...runtime.command, '--root', s.root, 'update', '--resources', '-'];
    const script = `id=$(sed 's/.*"id":"\\([^"]*\\)".*/\\1/'); echo '{}' | ${update.join(' ')} $id`;
    const bundle = tempBundle(t, {
      args: ['sleep', '1000'],
      config: (spec) => {
        spec.hooks = {
          poststart: [{ path: '/bin/sh', args: ['sh', '-c', script], env: [`PATH=${process.env.PATH}`] }],
        };
      },
    });
    const { id, code, output } = s.create(bundle);
    assert.equal(code, 0, output());
    s.ok(['start', id]);
    s.ok(['delete', '--force', id]);
    const detached = s.detach(bundle);
    assert.equal(detached.code, 0, detached.output());
  });

  test(`${runtime.name}: a poststart hook that hangs is not in the way of delete --force`, {
    skip,
  }, async (t) => {
    const { bundle, reached, goOn } = bundleWithHangingHook(t, 0);
    const s = session(t, runtime);
    const { id } = s.create(bundle);
    const start = s.spawn(['start', id]);
    const ended = once(start, 'exit');
    await reached();
    s.ok(['delete', '--force', id]);
    assert.equal(start.exitCode, null);
    goOn();
    assert.deepEqual(await ended, [0, null]);
    await s.waitFor(id, 'gone');
  });

  test(`${runtime.name}: a poststart hook that fails ends its own container alone, not one that has its name by then`, {
    skip,
  }, async (t) => {
    const { bundle, reached, goOn } = bundleWithHangingHook(t, 1);
    const s = session(t, runtime);
    const id = uniqueId();
    const run = s.spawn(['run', '--detach', '--bundle', bundle.path, id]);
    const ended = once(run, 'exit');
    await reached();
    s.ok(['delete', '--force', id]);
    const other = s.detach(tempBundle(t, { args: ['sleep', '1000'] }), { id });
    assert.equal(other.code, 0, other.output());
    goOn();
    assert.deepEqual(await ended, [1, null]);
    assert.equal(s.state(id).status, 'running');
  });
}
