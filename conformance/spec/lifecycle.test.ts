/** runtime.md of the specification, requirement by requirement; see requirements/runtime.ts. */

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { privateWorld, runtimes, session, tempBundle, uniqueId } from '../../test/harness/index.ts';
import { testsOf } from '../../test/support/inside.ts';

const { skip } = privateWorld();

/** A bundle whose command leaves a line in /ran, a file of its own root. */
function marking(t: TestContext, script = 'true') {
  const bundle = tempBundle(t, { args: ['sh', '-c', `echo ran >> /ran; ${script}`] });
  const mark = join(bundle.rootfs, 'ran');
  return { bundle, runs: () => (existsSync(mark) ? readFileSync(mark, 'utf8').split('\n').length - 1 : 0) };
}

const SLEEP = 'trap "echo TERM >> /ran; exit 3" TERM; while :; do sleep 0.05; done';

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('every operation works on a container that was created', async (t) => {
    const s = session(t, runtime);
    const { bundle } = marking(t, 'sleep 60');
    const { id, code } = s.create(bundle);
    assert.equal(code, 0);
    assert.equal(s.state(id).status, 'created');
    s.ok(['start', id]);
    s.ok(['kill', id, 'KILL']);
    await s.waitFor(id, 'stopped');
    s.ok(['delete', id]);
    assert.notEqual(s.call(['state', id]).code, 0);
  });

  it('create makes the environment, and does not run the program', (t) => {
    const s = session(t, runtime);
    const { bundle, runs } = marking(t);
    bundle.config.hostname = 'prepared';
    bundle.save();
    const { id, code, output } = s.create(bundle);
    assert.equal(code, 0, output());
    const { pid, status } = s.state(id);
    assert.equal(status, 'created');
    assert.equal(runs(), 0);
    // All but the program is there: namespaces, mounts, cgroup, names.
    const inside = readFileSync(`/proc/${pid}/mountinfo`, 'utf8');
    for (const { destination } of bundle.config.mounts)
      assert.ok(inside.includes(` ${destination} `), destination);
    assert.match(readFileSync(`/proc/${pid}/root/proc/sys/kernel/hostname`, 'utf8'), /\S/);
    assert.match(
      readFileSync(`/proc/${pid}/cgroup`, 'utf8'),
      new RegExp(`${bundle.config.linux.cgroupsPath}$`, 'm'),
    );
    assert.notEqual(
      readFileSync(`/proc/${pid}/mountinfo`, 'utf8'),
      readFileSync('/proc/self/mountinfo', 'utf8'),
    );
  });

  it('changes of config.json after create have no effect', async (t) => {
    const s = session(t, runtime);
    const { bundle, runs } = marking(t);
    const { id } = s.create(bundle);
    bundle.config.process.args = ['sh', '-c', 'echo other > /other'];
    bundle.config.annotations = { changed: 'yes' };
    bundle.save();
    s.ok(['start', id]);
    await s.waitFor(id, 'stopped');
    assert.equal(runs(), 1);
    assert.ok(!existsSync(join(bundle.rootfs, 'other')));
    assert.equal(s.state(id).annotations?.changed, undefined);
  });

  it('start runs the program, once', async (t) => {
    const s = session(t, runtime);
    const { bundle, runs } = marking(t, 'while ! [ -e /end ]; do sleep 0.05; done');
    const { id } = s.create(bundle);
    s.ok(['start', id]);
    assert.equal(s.state(id).status, 'running');
    assert.notEqual(s.call(['start', id]).code, 0);
    assert.equal(s.state(id).status, 'running');
    writeFileSync(join(bundle.rootfs, 'end'), '');
    await s.waitFor(id, 'stopped');
    assert.notEqual(s.call(['start', id]).code, 0);
    assert.equal(s.state(id).status, 'stopped');
    assert.equal(runs(), 1);
    assert.notEqual(s.call(['start', uniqueId()]).code, 0);
  });

  it('operations without an id are errors', (t) => {
    const s = session(t, runtime);
    for (const operation of ['state', 'start', 'kill', 'delete']) {
      assert.notEqual(s.call([operation]).code, 0, operation);
    }
  });

  it('create without an id, or without a bundle, is an error', (t) => {
    const s = session(t, runtime);
    const { bundle } = marking(t);
    assert.notEqual(s.call(['create', '--bundle', bundle.path]).code, 0);
    assert.notEqual(s.call(['create', '--bundle', join(bundle.path, 'none'), uniqueId()]).code, 0);
    // The folder where the caller is would be the bundle.
    assert.notEqual(s.call(['create', uniqueId()], { cwd: '/' }).code, 0);
  });

  it('an id that is taken or invalid is an error, and nothing is made', (t) => {
    const s = session(t, runtime);
    const { bundle } = marking(t);
    const { id } = s.create(bundle);
    const { pid } = s.state(id);
    const other = marking(t).bundle;
    for (const wrong of [id, '../escape', 'a/b', '']) {
      assert.notEqual(s.call(['create', '--bundle', other.path, wrong]).code, 0, wrong);
    }
    assert.equal(s.state(id).pid, pid);
    assert.deepEqual(readdirSync(s.root), [id]);
  });

  it('a create that fails leaves nothing', (t) => {
    // The session itself fails the test when a process, mount, cgroup or file is left.
    const s = session(t, runtime);
    const { bundle, runs } = marking(t);
    const failures: readonly (() => void)[] = [
      () =>
        bundle.config.mounts.push({
          destination: '/x',
          type: 'none',
          source: '/does/not/exist',
          options: ['bind'],
        }),
      () => {
        bundle.config.mounts.pop();
        bundle.config.linux.sysctl = { 'kernel.shmmni': 'no number' };
      },
      () => {
        delete bundle.config.linux.sysctl;
        bundle.config.hooks = { createRuntime: [{ path: '/bin/false' }] };
      },
      () => {
        delete bundle.config.hooks;
        bundle.config.root.path = 'nowhere';
      },
    ];
    for (const [i, change] of failures.entries()) {
      change();
      bundle.save();
      const { id, code } = s.create(bundle);
      assert.notEqual(code, 0, String(i));
      assert.notEqual(s.call(['state', id]).code, 0, String(i));
      assert.ok(!existsSync(s.root) || readdirSync(s.root).length === 0, String(i));
    }
    assert.equal(runs(), 0);
  });

  it('a config without process can’t be started', (t) => {
    const s = session(t, runtime);
    const { bundle } = marking(t);
    const { process: _, ...rest } = bundle.config;
    writeFileSync(join(bundle.path, 'config.json'), JSON.stringify(rest));
    const { id, code } = s.create(bundle);
    // Refused at once, or when it is started.
    assert.ok(code !== 0 || s.call(['start', id]).code !== 0);
  });

  it('kill sends the signal to the program', async (t) => {
    const s = session(t, runtime);
    const { bundle, runs } = marking(t, SLEEP);
    const { id } = s.create(bundle);
    s.ok(['start', id]);
    while (runs() === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    s.ok(['kill', id, 'TERM']);
    await s.waitFor(id, 'stopped');
    assert.equal(readFileSync(join(bundle.rootfs, 'ran'), 'utf8'), 'ran\nTERM\n');
  });

  it('kill of a stopped container is an error', async (t) => {
    const s = session(t, runtime);
    const { bundle, runs } = marking(t);
    const { id } = s.create(bundle);
    s.ok(['start', id]);
    await s.waitFor(id, 'stopped');
    assert.notEqual(s.call(['kill', id, 'TERM']).code, 0);
    assert.equal(s.state(id).status, 'stopped');
    assert.equal(runs(), 1);
    assert.notEqual(s.call(['kill', uniqueId(), 'TERM']).code, 0);
  });

  it('delete of a running container is an error, without effect', (t) => {
    const s = session(t, runtime);
    const { bundle } = marking(t, 'sleep 60');
    const { id } = s.create(bundle);
    s.ok(['start', id]);
    const { pid } = s.state(id);
    assert.notEqual(s.call(['delete', id]).code, 0);
    const { status, pid: now } = s.state(id);
    assert.deepEqual([status, now], ['running', pid]);
  });

  it('delete removes what create made, and nothing else', async (t) => {
    const s = session(t, runtime);
    const { bundle } = marking(t);
    const folder = join(bundle.path, 'kept');
    mkdirSync(folder);
    writeFileSync(join(folder, 'file'), 'kept');
    bundle.config.mounts.push({ destination: '/kept', type: 'none', source: folder, options: ['bind'] });
    bundle.save();
    const before = readFileSync('/proc/self/mountinfo', 'utf8');
    const { id } = s.create(bundle);
    s.ok(['start', id]);
    await s.waitFor(id, 'stopped');
    s.ok(['delete', id]);
    assert.deepEqual(readdirSync(s.root), []);
    assert.equal(readFileSync('/proc/self/mountinfo', 'utf8'), before);
    assert.equal(readFileSync(join(folder, 'file'), 'utf8'), 'kept');
    assert.ok(existsSync(join(bundle.rootfs, 'ran')));
    // The id is free again.
    rmSync(join(bundle.rootfs, 'ran'));
    assert.equal(s.create(bundle, { id }).code, 0);
  });
}
