/** runts in a container of runts: as its root, and as root of a user namespace. */

import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  type Bundle,
  privateWorld,
  type Runtime,
  runtimes,
  session,
  type TestSpec,
  tempBundle,
} from './harness/index.ts';

const { skip } = privateWorld();

/** What runts itself needs, and no more. */
const CAPABILITIES = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_ADMIN',
  // to map the id 0 (Linux 5.12)
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_ADMIN',
  'SYS_CHROOT',
].map((name) => `CAP_${name}`);

/** A bundle whose command is `runts run` of the bundle in /inner, with the engine's libraries from the host. */
function outer(t: TestContext, runtime: Runtime, inner: (spec: TestSpec) => void): Bundle {
  const innerBundle = tempBundle(t, {
    config: (spec) => {
      const few = ['CAP_KILL'];
      spec.process.capabilities = { bounding: few, effective: few, permitted: few };
      inner(spec);
    },
  });
  innerBundle.config.linux.cgroupsPath = '';
  const program = runtime.command.at(-1) ?? '';
  const bundle = tempBundle(t, {
    args: [
      ...runtime.command.slice(0, -1),
      `/runts/${program.slice(dirname(program).length + 1)}`,
      'run',
      '-b',
      '/inner',
      'inner',
    ],
    config: (spec) => {
      spec.process.capabilities = {
        bounding: CAPABILITIES,
        effective: CAPABILITIES,
        permitted: CAPABILITIES,
      };
      spec.process.noNewPrivileges = false;
      const folders = ['/usr', '/lib', '/lib64', '/root/.nvm', '/opt'].filter((path) => existsSync(path));
      for (const path of [...folders, dirname(program)]) {
        const destination = path === dirname(program) ? '/runts' : path;
        spec.mounts.push({ destination, type: 'bind', source: path, options: ['rbind', 'ro'] });
      }
      spec.mounts.push({ destination: '/run', type: 'tmpfs', source: 'tmpfs', options: ['mode=755'] });
      const cgroup = {
        destination: '/sys/fs/cgroup',
        type: 'cgroup',
        source: 'cgroup',
        options: ['nosuid', 'noexec', 'nodev'],
      };
      spec.mounts = [...spec.mounts.filter(({ destination }) => destination !== cgroup.destination), cgroup];
      for (const mount of spec.mounts) {
        if (mount.destination === '/sys')
          mount.options = (mount.options ?? []).filter((option) => option !== 'ro');
      }
      // covered parts of /proc make the kernel refuse a fresh one inside (mount_too_revealing)
      spec.linux.maskedPaths = [];
      spec.linux.readonlyPaths = [];
    },
  });
  const target = join(bundle.rootfs, 'inner');
  mkdirSync(target);
  cpSync(innerBundle.rootfs, join(target, 'rootfs'), { recursive: true, verbatimSymlinks: true });
  writeFileSync(
    join(target, 'config.json'),
    JSON.stringify({ ...innerBundle.config, root: { path: 'rootfs' } }),
  );
  return bundle;
}

const SCRIPT = 'echo inner $$ $(id -u) $(hostname); test -c /dev/null && echo devices; exit 7';

for (const runtime of runtimes()) {
  test(`${runtime.name}: a container in a container`, { skip }, (t) => {
    const bundle = outer(t, runtime, (spec) => {
      spec.process.args = ['sh', '-c', SCRIPT];
      spec.hostname = 'inner';
    });
    const { code, stdout, stderr } = session(t, runtime).run(bundle);
    assert.deepEqual([code, stdout], [7, 'inner 1 0 inner\ndevices\n'], stderr);
  });

  test(`${runtime.name}: a container with a user namespace in a container`, { skip }, (t) => {
    const bundle = outer(t, runtime, (spec) => {
      spec.process.args = ['sh', '-c', `${SCRIPT}`];
      spec.hostname = 'inner';
      spec.linux.namespaces.push({ type: 'user' });
      spec.linux.uidMappings = [{ containerID: 0, hostID: 0, size: 100 }];
      spec.linux.gidMappings = [{ containerID: 0, hostID: 0, size: 100 }];
    });
    const { code, stdout, stderr } = session(t, runtime).run(bundle);
    assert.deepEqual([code, stdout], [7, 'inner 1 0 inner\ndevices\n'], stderr);
  });
}
