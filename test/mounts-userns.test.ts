/** Mounts of containers in a user namespace that root makes, and the root that is entered without pivot_root. */

import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { privateWorld, type Runtime, runtimes, type TestSpec, temporaryFolder } from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { type LookOptions, look, lookAt, testsOf } from './support/inside.ts';
import { mountAt, parseMountinfo } from './support/status.ts';

const { skip } = privateWorld({ cgroups: 'v2' });

const FIRST = 200_000;
const MAP = [{ containerID: 0, hostID: FIRST, size: 65536 }];

/** A user namespace, and a root file system that its root may enter. */
function inUserNamespace(config: (spec: TestSpec) => void = () => {}): LookOptions {
  return {
    own: (rootfs) => {
      chmodSync(join(rootfs, '../..'), 0o755);
      chmodSync(join(rootfs, '..'), 0o755);
      chownSync(rootfs, FIRST, FIRST);
    },
    config: (spec) => {
      spec.linux.namespaces.push({ type: 'user' });
      spec.linux.uidMappings = MAP;
      spec.linux.gidMappings = MAP;
      config(spec);
    },
  };
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('sources that only the host’s root may enter, and the options of their mounts', (t) => {
    const secret = temporaryFolder(t);
    chmodSync(secret, 0o700);
    mkdirSync(join(secret, 'folder'));
    writeFileSync(join(secret, 'folder/file'), 'content\n');
    const seen = look(
      t,
      runtime,
      { file: 'cat /bound/file /one', mounts: 'cat /proc/self/mountinfo', write: 'echo > /one' },
      inUserNamespace((spec) => {
        spec.mounts.push(
          { destination: '/bound', source: join(secret, 'folder'), options: ['rbind', 'nosuid', 'rprivate'] },
          { destination: '/one', source: join(secret, 'folder/file'), options: ['bind', 'ro'] },
        );
      }),
    );
    assert.equal(seen.file, 'content\ncontent');
    const mounts = parseMountinfo(seen.mounts!);
    assert.ok(mountAt(mounts, '/bound').options.includes('nosuid'));
    assert.match(seen.write!, /Read-only|Permission denied/);
  });

  it('more sources than the limit of descriptors', (t) => {
    const limited: Runtime = {
      name: runtime.name,
      command: ['sh', '-c', 'ulimit -Sn 256 && exec "$@"', 'sh', ...runtime.command],
    };
    const seen = look(
      t,
      limited,
      { count: 'grep -c " /many/" /proc/self/mountinfo' },
      inUserNamespace((spec) => {
        for (let i = 0; i < 400; i++)
          spec.mounts.push({ destination: `/many/${i}`, source: '/usr', options: ['bind', 'ro'] });
      }),
    );
    assert.equal(seen.count, '400');
  });

  it('idmap without mappings takes the container’s', (t) => {
    const folder = temporaryFolder(t);
    chmodSync(folder, 0o755);
    for (const id of [0, 7]) {
      writeFileSync(join(folder, String(id)), '');
      chownSync(join(folder, String(id)), id, id);
    }
    const seen = look(
      t,
      runtime,
      { ids: "stat -c '%n %u' /mapped/* /relative/*", made: 'touch /mapped/new; chown 9 /mapped/new' },
      inUserNamespace((spec) => {
        spec.mounts.push(
          { destination: '/mapped', source: folder, options: ['bind', 'idmap'] },
          {
            destination: '/relative',
            source: folder,
            options: ['bind', 'idmap=uids=0-@5-10;gids=@0-5-10', 'ro'],
          },
        );
      }),
    );
    assert.equal(seen.ids, '/mapped/0 0\n/mapped/7 7\n/relative/0 5\n/relative/7 12');
    assert.equal(seen.made, '');
  });

  it('devpts with a group that the container hasn’t got', (t) => {
    const seen = look(
      t,
      runtime,
      { mounts: 'cat /proc/self/mountinfo' },
      inUserNamespace((spec) => {
        spec.linux.gidMappings = [{ containerID: 0, hostID: FIRST, size: 1 }];
      }),
    );
    const { superOptions } = mountAt(parseMountinfo(seen.mounts!), '/dev/pts');
    assert.ok(!superOptions.some((option) => option.startsWith('gid=')), superOptions.join());
  });

  it('without a cgroup namespace the host’s cgroups can’t be written', (t) => {
    const cgroup = { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid'] };
    const withoutNamespace = (spec: TestSpec): void => {
      spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'cgroup');
    };
    const commands = { mounts: 'cat /proc/self/mountinfo', write: 'mkdir /sys/fs/cgroup/made' };
    for (const bindSys of [false, true]) {
      const seen = look(
        t,
        runtime,
        commands,
        inUserNamespace((spec) => {
          withoutNamespace(spec);
          if (bindSys) {
            spec.mounts = spec.mounts.filter(({ destination }) => destination !== '/sys');
            spec.mounts.push({
              destination: '/sys',
              type: 'none',
              source: '/sys',
              options: ['rbind', 'nosuid', 'ro'],
            });
          } else spec.mounts.push(cgroup);
        }),
      );
      const mount = mountAt(parseMountinfo(seen.mounts!), '/sys/fs/cgroup');
      assert.equal(mount.type, 'cgroup2');
      assert.ok(mount.options.includes('ro'), `${bindSys} ${mount.options.join()}`);
      assert.match(seen.write!, /Read-only file system/);
    }
  });

  it('sysfs without a network namespace is the host’s, read-only', (t) => {
    const seen = look(
      t,
      runtime,
      { mounts: 'cat /proc/self/mountinfo', net: 'ls /sys/class/net' },
      inUserNamespace((spec) => {
        spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'network');
      }),
    );
    const mount = mountAt(parseMountinfo(seen.mounts!), '/sys');
    assert.deepEqual([mount.type, mount.options.includes('ro')], ['sysfs', true]);
    assert.match(seen.net!, /^lo$/m);
  });

  it('--no-pivot leaves no proc or sysfs of the host that a user namespace could mount anew', (t) => {
    const attempt =
      "unshare -U -r -m -p -f sh -c 'mount -t proc proc /tmp && cat /tmp/keys' && echo mounted || echo refused";
    for (const flags of [[], ['--no-pivot']]) {
      const seen = look(t, runtime, { attempt, up: 'ls /..; ls /proc/1/root' }, { flags, own: () => {} });
      assert.match(seen.attempt!, /refused$/, flags.join());
      assert.match(seen.up!, /^bin\ndev\n/);
    }
  });

  it('--no-pivot with a private root is an error', (t) => {
    for (const rootfsPropagation of ['private', 'rprivate'] as const) {
      const result = lookAt(t, runtime, 'true', {
        globals: JSON_LOG,
        flags: ['--no-pivot'],
        config: (spec) => {
          spec.linux.rootfsPropagation = rootfsPropagation;
        },
      });
      assert.match(
        failureOf(result).msg,
        /linux\.rootfsPropagation: r?private is not safe without pivot_root/,
      );
    }
  });

  it('nothing of a container in a user namespace reaches the host', (t) => {
    const before = readFileSync('/proc/self/mountinfo', 'utf8');
    look(t, runtime, { x: 'true' }, inUserNamespace());
    assert.equal(readFileSync('/proc/self/mountinfo', 'utf8'), before);
  });
}
