/**
 * Another process changes the image while a container is made: CVE-2021-30465 (a symlink in place of a mount's target),
 * CVE-2024-45310 (folders made on the host), CVE-2019-19921 (a volume over /proc).
 */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  atEnd,
  mountPoints,
  privateWorld,
  runtimes,
  session,
  tempBundle,
  temporaryFolder,
} from '../harness/index.ts';
import { testsOf } from '../support/inside.ts';

const { skip } = privateWorld();

/** How often a container is made while the other process is at work. */
const ATTEMPTS = 25;

/** Exchanges what is at two paths, again and again, until the test is over; at most half a minute. */
function exchanging(t: TestContext, one: string, other: string): ChildProcess {
  const script = `
    const { renameSync } = require('node:fs');
    const [one, other] = process.argv.slice(1);
    const end = Date.now() + 30_000;
    while (Date.now() < end) {
      try { renameSync(one, one + '.x'); renameSync(other, one); renameSync(one + '.x', other); } catch {}
    }`;
  const child = spawn(process.execPath, ['-e', script, one, other], { stdio: 'ignore' });
  atEnd(t, 'containers', () => void child.kill('SIGKILL'));
  return child;
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('a target that turns into a symlink to the host and back', (t) => {
    const outside = temporaryFolder(t);
    mkdirSync(join(outside, 'sub'));
    const bundle = tempBundle(t, { args: ['cat', '/proc/self/mountinfo'] });
    const source = join(outside, 'source');
    writeFileSync(source, 'of the host\n');
    mkdirSync(join(bundle.rootfs, 'share/dir/sub'), { recursive: true });
    const link = join(bundle.rootfs, 'share/link');
    symlinkSync(outside, link);
    for (const name of ['sub', 'made/deep', 'file']) {
      const mount =
        name === 'file'
          ? { destination: '/share/dir/file', source, options: ['bind'] }
          : { destination: `/share/dir/${name}`, type: 'tmpfs', source: 'of-test', options: ['mode=755'] };
      bundle.config.mounts.push(mount);
    }
    bundle.save();
    const before = mountPoints();
    const s = session(t, runtime);
    const child = exchanging(t, join(bundle.rootfs, 'share/dir'), link);
    let came = 0;
    for (let i = 0; i < ATTEMPTS; i++) {
      const { code, stdout, stderr } = s.run(bundle);
      if (code === 0) {
        came++;
        for (const line of stdout.split('\n').filter((each) => each.includes('of-test'))) {
          const point = line.split(' ')[4]!;
          assert.ok(point.startsWith('/share/') || point.startsWith(outside), point);
        }
      } else {
        // An exchange in the middle of it: an error of the mount, never something else.
        assert.match(stderr, /mounts\[\d+\]/);
      }
      assert.deepEqual(readdirSync(outside).sort(), ['source', 'sub']);
      assert.deepEqual(readdirSync(join(outside, 'sub')), []);
      assert.deepEqual(mountPoints(), before);
    }
    child.kill('SIGKILL');
    assert.equal(readFileSync(source, 'utf8'), 'of the host\n');
    t.diagnostic(`${came} of ${ATTEMPTS} containers came up`);
  });

  it('a target that turns into a symlink to /proc and back', (t) => {
    const forged = temporaryFolder(t);
    mkdirSync(join(forged, 'self/attr'), { recursive: true });
    const bundle = tempBundle(t, {
      args: ['sh', '-c', 'cat /proc/self/mountinfo; cat /proc/1/comm'],
      config: (spec) =>
        void spec.mounts.push({ destination: '/share/dir', source: forged, options: ['bind'] }),
    });
    mkdirSync(join(bundle.rootfs, 'share/dir'), { recursive: true });
    const link = join(bundle.rootfs, 'share/link');
    symlinkSync('/proc', link);
    const s = session(t, runtime);
    const child = exchanging(t, join(bundle.rootfs, 'share/dir'), link);
    for (let i = 0; i < ATTEMPTS; i++) {
      const { code, stdout, stderr } = s.run(bundle);
      if (code !== 0) {
        assert.match(stderr, /mounts\[6\]/);
        continue;
      }
      const points = stdout.split('\n').map((line) => line.split(' ')[4]);
      assert.equal(points.filter((point) => point === '/proc').length, 1, stdout);
      assert.match(stdout, /^(sh|cat)$/m);
    }
    child.kill('SIGKILL');
  });

  it('tmpcopyup of a folder whose entries turn into symlinks to the host and back', (t) => {
    const outside = temporaryFolder(t);
    mkdirSync(join(outside, 'folder'));
    for (const path of ['secret', 'folder/secret'])
      writeFileSync(join(outside, path), 'secret of the host\n');
    const bundle = tempBundle(t, {
      args: ['sh', '-c', 'find /data -type f | sort; cat $(find /data -type f)'],
      config: (spec) =>
        void spec.mounts.push({ destination: '/data', type: 'tmpfs', source: 'x', options: ['tmpcopyup'] }),
    });
    const data = join(bundle.rootfs, 'data');
    mkdirSync(join(data, 'folder'), { recursive: true });
    for (let i = 0; i < 20; i++) writeFileSync(join(data, `padding${i}`), 'of the image\n');
    writeFileSync(join(data, 'file'), 'of the image\n');
    writeFileSync(join(data, 'folder/secret'), 'of the image\n');
    symlinkSync(join(outside, 'secret'), join(bundle.rootfs, 'link'));
    symlinkSync(join(outside, 'folder'), join(bundle.rootfs, 'links'));
    const s = session(t, runtime);
    const children = [
      exchanging(t, join(data, 'file'), join(bundle.rootfs, 'link')),
      exchanging(t, join(data, 'folder'), join(bundle.rootfs, 'links')),
    ];
    for (let i = 0; i < ATTEMPTS; i++) {
      const { code, stdout, stderr } = s.run(bundle);
      assert.doesNotMatch(stdout, /secret of the host/);
      if (code !== 0) assert.match(stderr, /mounts\[6\]\.options: tmpcopyup: \w+ ..\/data\//);
    }
    for (const child of children) child.kill('SIGKILL');
    assert.equal(readFileSync(join(outside, 'secret'), 'utf8'), 'secret of the host\n');
  });
}
