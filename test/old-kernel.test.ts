/** A kernel without mount_setattr(2) and without a close_range(2) that sets close-on-exec: Linux 5.10. */

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { privateWorld, type Runtime, runtimes, session, temporaryFolder } from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { look, lookAt, scriptBundle, testsOf } from './support/inside.ts';
import { mountAt, parseMountinfo } from './support/status.ts';

const { skip } = privateWorld();

const WITHOUT = [
  process.execPath,
  '--import',
  'tsx',
  join(import.meta.dirname, 'support/without-syscall.ts'),
  'mount_setattr,close_range',
];

const folders = new WeakMap<TestContext, string>();

/** A folder of the test. */
function folderOf(t: TestContext): string {
  const folder = folders.get(t) ?? temporaryFolder(t);
  folders.set(t, folder);
  return folder;
}

for (const plain of runtimes()) {
  const runtime: Runtime = { name: plain.name, command: [...WITHOUT, ...plain.command] };
  const it = testsOf(runtime, skip);

  it('attributes, propagation, read-only root and paths, masks', (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, 'file'), 'x\n');
    const seen = look(
      t,
      runtime,
      {
        mounts: 'cat /proc/self/mountinfo',
        write: 'touch /x /folder/x /proc/sys/kernel/domainname; echo > /file',
        masked: 'cat /proc/keys; ls /sys/firmware',
      },
      {
        own: (rootfs) => mkdirSync(join(rootfs, 'folder')),
        config: (spec) => {
          spec.root.readonly = true;
          spec.mounts.push(
            {
              destination: '/folder',
              source: folder,
              options: ['bind', 'ro', 'nosuid', 'noatime', 'shared'],
            },
            {
              destination: '/file',
              source: join(folder, 'file'),
              options: ['bind', 'ro', 'nodev', 'private'],
            },
            { destination: '/ro', type: 'tmpfs', source: 'x', options: ['ro', 'noexec'] },
          );
        },
      },
    );
    const mounts = parseMountinfo(seen.mounts!);
    const options = (point: string): string => mountAt(mounts, point).options.join();
    assert.equal(options('/folder'), 'ro,nosuid,noatime');
    assert.deepEqual(mountAt(mounts, '/folder').propagation, ['shared']);
    assert.equal(options('/file'), 'ro,nodev,relatime');
    assert.equal(options('/ro'), 'ro,noexec,relatime');
    assert.match(options('/'), /^ro/);
    assert.match(options('/proc/sys'), /^ro/);
    assert.equal(seen.write!.match(/Read-only file system/gi)?.length, 4);
    assert.equal(seen.masked, '');
  });

  it('descriptors stay outside, of run, exec and hooks', async (t) => {
    const s = session(t, runtime);
    const list = 'echo $(ls /proc/self/fd)';
    const bundle = scriptBundle(t, `${list}; sleep 100`, {
      own: () => {},
      config: (spec) => {
        const args = ['sh', '-c', 'ls /proc/self/fd > /tmp/startContainer'];
        spec.hooks = {
          createRuntime: [{ path: '/bin/sh', args: ['sh', '-c', `ls /proc/self/fd > ${folderOf(t)}/host`] }],
          startContainer: [{ path: '/bin/sh', args }],
        };
      },
    });
    const { id, code, output } = s.create(bundle);
    assert.equal(code, 0, output());
    s.ok(['start', id]);
    await s.waitFor(id, 'running');
    const exec = s.ok(['exec', id, 'sh', '-c', list]);
    // 3 is the folder that ls reads.
    assert.equal(exec, '0 1 2 3\n');
    for (let i = 0; i < 50 && output() === ''; i++) await delay(20);
    assert.equal(output(), '0 1 2 3\n');
    for (const file of [join(folderOf(t), 'host'), join(bundle.rootfs, 'tmp/startContainer')])
      assert.equal(readFileSync(file, 'utf8'), '0\n1\n2\n3\n');
  });

  it('what can’t be done without is an error', (t) => {
    const map = [{ containerID: 0, hostID: 1, size: 1 }];
    for (const [options, mappings, pattern] of [
      [
        ['rbind', 'rro'],
        {},
        /mounts\[6\]\.options: an option for all mounts of a tree needs mount_setattr.*5\.12/,
      ],
      [
        ['bind'],
        { uidMappings: map, gidMappings: map },
        /mounts\[6\]: an id-mapped mount needs mount_setattr/,
      ],
    ] as const) {
      const result = lookAt(t, runtime, 'true', {
        globals: JSON_LOG,
        config: (spec) =>
          void spec.mounts.push({ destination: '/tmp', source: '/usr', options: [...options], ...mappings }),
      });
      assert.match(failureOf(result).msg, pattern);
    }
  });

  it('a container in a user namespace', (t) => {
    const map = [{ containerID: 0, hostID: 100_000, size: 65536 }];
    const seen = look(
      t,
      runtime,
      { id: 'id -u; cat /proc/self/uid_map; ls /dev/null; touch /x' },
      {
        config: (spec) => {
          spec.linux.namespaces.push({ type: 'user' });
          spec.linux.uidMappings = map;
          spec.linux.gidMappings = map;
        },
      },
    );
    assert.match(seen.id!, /^0\n +0 +100000 +65536\n\/dev\/null\n/);
  });
}
