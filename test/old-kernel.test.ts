/** Mounts on a kernel without mount_setattr(2), before Linux 5.12. */

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { privateWorld, type Runtime, runtimes, temporaryFolder } from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { look, lookAt, testsOf } from './support/inside.ts';
import { mountAt, parseMountinfo } from './support/status.ts';

const { skip } = privateWorld();

const WITHOUT = [
  process.execPath,
  '--import',
  'tsx',
  join(import.meta.dirname, 'support/without-syscall.ts'),
  'mount_setattr',
];

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
