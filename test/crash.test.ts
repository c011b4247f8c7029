/** A runtime that is killed at any point leaves what `delete --force` fully removes. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  assertNothingLeft,
  type Bundle,
  privateWorld,
  type Runtime,
  runtimes,
  type Snapshot,
  session,
  snapshot,
  tempBundle,
  uniqueId,
} from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { testsOf } from './support/inside.ts';

const { skip } = privateWorld();

/** A bundle of everything that takes time to make, or could be left. */
function richBundle(t: TestContext): Bundle {
  return tempBundle(t, {
    args: ['sleep', '60'],
    rootfs: 'shared',
    config: (spec) => {
      const hook = [{ path: '/bin/sh', args: ['sh', '-c', 'read -r state; exec sleep 0.002'] }];
      spec.hooks = { createRuntime: hook, createContainer: hook, startContainer: hook, poststart: hook };
      spec.mounts.push({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs' });
    },
  });
}

/** Runs a command of the runtime and kills it after some time. Its output is nobody's. */
async function killedAfter(runtime: Runtime, root: string, args: string[], ms: number): Promise<void> {
  const [file, ...first] = runtime.command;
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(file!, [...first, '--root', root, ...args], { stdio: 'ignore', env });
  const ended = once(child, 'exit');
  await Promise.race([ended, delay(ms)]);
  child.kill('SIGKILL');
  await ended;
}

/** How long a command takes when nobody kills it. */
async function timeOf(action: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await action();
  return performance.now() - began;
}

/** An engine that takes longer to start is killed less often. */
function roundsOf(runtime: Runtime): number {
  return runtime.command.length > 1 ? 8 : 24;
}

/** Ends a container of which the runtime knows nothing. */
function killLeft(before: Snapshot): void {
  const left = snapshot().cgroups.filter((path) => !before.cgroups.includes(path));
  assert.equal(left.length, 1);
  for (const path of left) {
    writeFileSync(join(path, 'cgroup.kill'), '1');
    while (readFileSync(join(path, 'cgroup.events'), 'utf8').includes('populated 1'));
    rmdirSync(path);
  }
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);
  const rounds = roundsOf(runtime);

  for (const command of ['create', 'run', 'run --detach'] as const) {
    it(`${command}, killed at any time`, async (t) => {
      const s = session(t, runtime);
      const bundle = richBundle(t);
      const args = (id: string): string[] => [...command.split(' '), '--bundle', bundle.path, id];
      const whole = await timeOf(async () => {
        const id = uniqueId();
        assert.equal(s.create(bundle, { id }).code, 0);
        if (command !== 'create') s.ok(['start', id]);
        s.ok(['delete', '--force', id]);
      });
      const before = snapshot();
      const seen = new Set<string>();
      for (let i = 0; i < rounds; i++) {
        const id = uniqueId('killed');
        await killedAfter(runtime, s.root, args(id), (whole * i) / rounds);
        const state = s.call(['state', id], { globals: JSON_LOG });
        seen.add(state.code === 0 ? JSON.parse(state.stdout).status : failureOf(state).code);
        if (i % 4 === 0) assert.equal(s.call(['list', '-q']).code, 0);
        const { code, stderr } = s.call(['delete', '--force', id]);
        assert.equal(code, 0, stderr);
        await assertNothingLeft(before, [s.root]);
      }
      // Otherwise this has tested nothing.
      assert.ok(seen.size > 1, `statuses after the death of ${command}: ${[...seen]}`);
    });
  }

  it('start and delete, killed at any time', async (t) => {
    const s = session(t, runtime);
    const bundle = richBundle(t);
    const before = snapshot();
    for (const command of [['start'], ['delete', '--force'], ['kill']]) {
      const whole = await timeOf(async () => void s.call(['state', 'x']));
      for (let i = 0; i < rounds / 3; i++) {
        const { id, code, output } = s.create(bundle, { id: uniqueId('killed') });
        assert.equal(code, 0, output());
        await killedAfter(runtime, s.root, [...command, id], (2 * whole * i) / (rounds / 3));
        const result = s.call(['delete', '--force', id]);
        assert.equal(result.code, 0, result.stderr);
        await assertNothingLeft(before, [s.root]);
      }
    }
  });

  it('killed by its own hook', async (t) => {
    const s = session(t, runtime);
    const before = snapshot();
    for (const phase of [
      'prestart',
      'createRuntime',
      'createContainer',
      'startContainer',
      'poststart',
    ] as const) {
      const bundle = tempBundle(t, {
        args: ['sleep', '60'],
        config: (spec) => {
          const script = `for p in /proc/[0-9]*; do
            case "$(tr '\\0' ' ' < $p/cmdline)" in *"$KILL"*) kill -9 \${p#/proc/};; esac; done; sleep 0.1`;
          const env = ['PATH=/bin:/usr/bin', 'KILL='];
          spec.hooks = { [phase]: [{ path: '/bin/sh', args: ['sh', '-c', script], env }] };
          // The hooks of the container see the runtime only in its pid namespace.
          spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'pid');
        },
      });
      const id = uniqueId('hooked');
      bundle.config.hooks![phase]![0]!.env![1] += `--bundle ${bundle.path} ${id}`;
      bundle.save();
      assert.equal(s.detach(bundle, { id }).code, 128 + 9, phase);
      // What it had begun ends when it finds its parent gone.
      const status = phase === 'poststart' ? 'running' : 'stopped';
      await s.waitFor(id, status);
      if (status === 'stopped') {
        const refused = failureOf(s.call(['start', id], { globals: JSON_LOG }));
        assert.match(refused.msg, /cannot start a container that has stopped/);
      }
      s.ok(['delete', '--force', id]);
      await assertNothingLeft(before, [s.root]);
    }
  });

  it('run in the foreground, killed: its container lives on', async (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, { args: ['sleep', '60'], rootfs: 'shared' });
    const id = uniqueId();
    const child = s.spawn(['run', '--bundle', bundle.path, id]);
    await s.waitFor(id, 'running');
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.equal(s.state(id).status, 'running');
    assert.equal(s.ok(['exec', id, 'echo', 'in']), 'in\n');
    s.ok(['kill', id, 'KILL']);
    await s.waitFor(id, 'stopped');
    s.ok(['delete', id]);
  });

  it('a pid that another process has now', async (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, { args: ['sleep', '60'], rootfs: 'shared' });
    const { id } = s.detach(bundle);
    const path = join(s.root, id, 'state.json');
    const state = JSON.parse(readFileSync(path, 'utf8')) as { init: { pid: number; startTime: number } };
    // Start times count in ticks of 10 ms; a pid comes round much later than that.
    await delay(30);
    const bystander = spawn('sleep', ['60'], { stdio: 'ignore' });
    const ended = once(bystander, 'exit');
    // As if init had died, and its pid had come round again.
    s.ok(['kill', id, 'KILL']);
    await s.waitFor(id, 'stopped');
    writeFileSync(path, JSON.stringify({ ...state, init: { ...state.init, pid: bystander.pid } }));
    assert.deepEqual([s.state(id).status, s.state(id).pid], ['stopped', 0]);
    assert.equal(failureOf(s.call(['kill', id, 'KILL'], { globals: JSON_LOG })).code, 'E_NOT_RUNNING');
    assert.equal(s.call(['exec', id, 'true']).code, 255);
    s.ok(['kill', '--all', id, 'KILL']);
    s.ok(['delete', '--force', id]);
    assert.equal(bystander.exitCode ?? bystander.signalCode, null, 'the bystander was killed');
    bystander.kill();
    await ended;
  });

  it('a state that says nothing of a cgroup with a name of its own', (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, { args: ['sleep', '60'], rootfs: 'shared' });
    assert.ok(bundle.config.linux.cgroupsPath);
    const before = snapshot().cgroups;
    const { id } = s.create(bundle);
    assert.equal(snapshot().cgroups.length, before.length + 1);
    truncateSync(join(s.root, id, 'state.json'), 0);
    s.ok(['delete', '--force', id]);
    assert.deepEqual(snapshot().cgroups, before);
  });

  it('a state that is damaged or missing', async (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, {
      args: ['sleep', '60'],
      rootfs: 'shared',
      config: (spec) => {
        // The id is its name then: a cgroup that nothing else tells of is known as the container's own by that.
        delete spec.linux.cgroupsPath;
      },
    });
    const before = snapshot();
    const damages: Record<string, (path: string) => void> = {
      empty: (path) => truncateSync(path, 0),
      'cut off': (path) => truncateSync(path, 300),
      'cut off late': (path) => truncateSync(path, readFileSync(path).length - 1),
      'no JSON': (path) => writeFileSync(path, 'nonsense'),
      'of another version': (path) =>
        writeFileSync(path, readFileSync(path, 'utf8').replace('"stateVersion":1', '"stateVersion":999')),
    };
    for (const [name, damage] of Object.entries(damages)) {
      for (const start of [false, true]) {
        const { id } = start ? s.detach(bundle) : s.create(bundle);
        damage(join(s.root, id, 'state.json'));
        for (const command of name === 'empty' ? ['state', 'start', 'kill', 'delete'] : ['state']) {
          const { exit, code, msg } = failureOf(s.call([command, id], { globals: JSON_LOG }));
          assert.deepEqual([exit, code], [1, 'E_STATE_CORRUPT'], `${name}: ${command}`);
          assert.match(msg, /delete --force/);
        }
        const { code, stderr } = s.call(['delete', '--force', id]);
        assert.deepEqual([code, stderr], [0, ''], name);
        // What runs is found through the state alone; what waits, by its FIFO as well.
        const found = !start || name.startsWith('cut off') || name === 'of another version';
        if (!found) killLeft(before);
        await assertNothingLeft(before, [s.root]);
      }
    }
    mkdirSync(join(s.root, 'empty-folder'));
    assert.equal(failureOf(s.call(['state', 'empty-folder'], { globals: JSON_LOG })).code, 'E_STATE_CORRUPT');
    s.ok(['delete', '--force', 'empty-folder']);
    assert.ok(!existsSync(join(s.root, 'empty-folder')));
    assert.deepEqual(readdirSync(s.root), []);
  });
}
