/** The harness itself, with the runtimes that this host has. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  assertNothingLeft,
  findCommand,
  inWorld,
  isPureV2,
  missing,
  mountPoints,
  privateWorld,
  type Runtime,
  removeTree,
  session,
  snapshot,
  TOKEN,
  tempBundle,
  temporaryFolder,
  uniqueId,
} from './index.ts';

// The one layout of cgroups that both runc and crun can work in.
const { skip } = privateWorld({ cgroups: 'v2' });

const others: Runtime[] = ['runc', 'crun'].flatMap((name) => {
  const path = findCommand(name);
  return path === undefined ? [] : [{ name, command: [path] }];
});

test('a world is private', { skip }, () => {
  assert.ok(process.pid < 1000);
  assert.deepEqual(
    readdirSync('/run').sort(),
    ['lock', 'mount', 'netns', 'user'].filter((n) => existsSync(`/run/${n}`)),
  );
  for (const device of ['null', 'zero', 'full', 'random', 'urandom', 'tty', 'ptmx']) {
    assert.ok(existsSync(`/dev/${device}`), device);
  }
  writeFileSync('/dev/of-this-world', '');
  assert.equal(process.env.RUNTS_TEST_TOKEN, TOKEN);
});

test('worlds in a world, of each cgroup mode', { skip }, () => {
  assert.ok(isPureV2());
  const v2 = inWorld('v2', ['test', '-e', '/sys/fs/cgroup/cgroup.controllers']);
  assert.equal(v2.status, 0);
  assert.equal(inWorld('host', ['sh', '-c', 'echo out; echo err >&2; exit 7']).status, 7);
  assert.equal(inWorld('host', ['cat'], { input: 'text' }).stdout, 'text');
  const links = inWorld({ network: true }, ['ls', '/sys/class/net/']);
  assert.equal(links.status, 0);
  assert.match(readFileSync('/proc/self/mountinfo', 'utf8'), / - cgroup2? /);
});

test('what a world leaves running is killed, and its cgroups are removed', { skip }, () => {
  const hierarchy = mountPoints().find((path) => existsSync(join(path, 'cgroup.subtree_control')));
  const cgroup = hierarchy === undefined ? temporaryFolder() : join(hierarchy, TOKEN, 'deep');
  const before = snapshot();
  const script = `mkdir -p ${cgroup}; setsid sleep 60 & echo $! > ${cgroup}/cgroup.procs`;
  assert.equal(inWorld('host', ['sh', '-c', script]).status, 0);
  assert.deepEqual(snapshot().processes.length, before.processes.length);
  if (hierarchy !== undefined) assert.ok(!existsSync(cgroup));
});

test('a folder with a mount in it is removed without what is mounted', { skip }, () => {
  const folder = temporaryFolder();
  const precious = join(temporaryFolder(), 'precious');
  mkdirSync(join(folder, 'a/b'), { recursive: true });
  mkdirSync(precious);
  writeFileSync(join(precious, 'file'), '');
  assert.equal(spawnSync('mount', ['--bind', precious, join(folder, 'a/b')]).status, 0);
  removeTree(folder);
  assert.ok(!existsSync(folder));
  assert.ok(existsSync(join(precious, 'file')));
});

test('a bundle is made and removed', { skip: missing() }, async (t) => {
  let path = '';
  await t.test('made', (inner) => {
    const bundle = tempBundle(inner, { name: 'with space', config: (spec) => spec.process.args.push('x') });
    path = bundle.path;
    const config = JSON.parse(readFileSync(join(path, 'config.json'), 'utf8'));
    assert.deepEqual(config.process.args, ['true', 'x']);
    assert.ok(path.startsWith(tmpdir()));
    assert.ok(existsSync(join(bundle.rootfs, 'bin/busybox')));
  });
  assert.ok(!existsSync(path));
});

test('leftovers are found', { skip }, async () => {
  const before = snapshot();
  await assertNothingLeft(before);
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'state'));
  await assert.rejects(assertNothingLeft(before, [folder]), /left something behind/);
  spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', folder]);
  await assert.rejects(assertNothingLeft(before), /left something behind/);
});

for (const runtime of others) {
  test(`${runtime.name}: run`, { skip }, (t) => {
    const bundle = tempBundle(t, { args: ['sh', '-c', 'echo $$; hostname; cat; echo err >&2; exit 3'] });
    const { code, stdout, stderr } = session(t, runtime).run(bundle, { input: 'in\n' });
    assert.deepEqual({ code, stdout, stderr }, { code: 3, stdout: '1\ntest\nin\n', stderr: 'err\n' });
  });

  test(`${runtime.name}: create, start, state, kill, delete`, { skip }, async (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, { args: ['sh', '-c', 'echo hello; sleep 60'], rootfs: 'shared' });
    const { id, code, output, untilPrinted } = s.create(bundle);
    assert.equal(code, 0, output());
    assert.equal(s.state(id).status, 'created');
    s.ok(['start', id]);
    await s.waitFor(id, 'running');
    assert.equal(untilPrinted('hello'), 'hello\n');
    s.ok(['kill', id, 'KILL']);
    await s.waitFor(id, 'stopped');
    assert.equal(output(), 'hello\n');
    s.ok(['delete', id]);
    await s.waitFor(id, 'gone');
  });

  test(`${runtime.name}: what a test leaves is deleted`, { skip }, async (t) => {
    const s = session(t, runtime);
    s.detach(tempBundle(t, { args: ['sleep', '60'] }), { id: uniqueId('left') });
    assert.equal(readdirSync(s.root).length, 1);
  });
}
