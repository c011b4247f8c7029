/** config-linux.md of the specification, as far as no other test proves it; see requirements/linux.ts. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCommand, privateWorld, runtimes, session, tempBundle } from '../../test/harness/index.ts';
import { look, lookAt, testsOf } from '../../test/support/inside.ts';

const { skip } = privateWorld();

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('without any namespace the container has the runtime’s own, of each type', (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, {
      config: (spec) => {
        spec.linux.namespaces = [];
        delete spec.hostname;
        spec.mounts = [];
        delete spec.linux.maskedPaths;
        delete spec.linux.readonlyPaths;
      },
    });
    const { id, code, output } = s.create(bundle);
    assert.equal(code, 0, output());
    const { pid } = s.state(id);
    for (const name of ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'uts', 'user']) {
      assert.equal(readlinkSync(`/proc/${pid}/ns/${name}`), readlinkSync(`/proc/self/ns/${name}`), name);
    }
  });

  it('mappings leave the owners of files alone', (t) => {
    const { bundle, code, stderr } = lookAt(t, runtime, 'true', {
      own: (rootfs) => {
        // The user namespace's root must get through.
        for (const above of ['..', '../..']) chmodSync(join(rootfs, above), 0o711);
        writeFileSync(join(rootfs, 'file'), '');
        chownSync(join(rootfs, 'file'), 5, 6);
      },
      config: (spec) => {
        spec.linux.namespaces.push({ type: 'user' });
        spec.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
        spec.linux.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
        spec.process.user = { uid: 0, gid: 0 };
      },
    });
    assert.equal(code, 0, stderr);
    const { uid, gid } = statSync(join(bundle.rootfs, 'file'));
    assert.deepEqual([uid, gid], [5, 6]);
  });

  it('a file in the place of a device is an error', (t) => {
    const withDevice = (path: string) => ({
      own: (rootfs: string) => writeFileSync(join(rootfs, 'thing'), 'not a device'),
      config: (spec: Parameters<NonNullable<NonNullable<Parameters<typeof lookAt>[3]>['config']>>[0]) => {
        spec.linux.devices = [{ path, type: 'c', major: 1, minor: 3, fileMode: 0o666, uid: 0, gid: 0 }];
      },
    });
    assert.equal(lookAt(t, runtime, 'test -c /other', withDevice('/other')).code, 0);
    const { code, stderr } = lookAt(t, runtime, 'true', withDevice('/thing'));
    assert.notEqual(code, 0);
    assert.match(stderr, /linux\.devices\[0\]/);
  });

  it('/dev/console is the terminal', (t) => {
    if (!hasCommand('script')) return t.skip('needs script');
    const seen = look(t, runtime, { plain: 'ls -l /dev/console' }, {});
    assert.match(seen.plain!, /No such file/);
    const s = session(t, runtime);
    const bundle = tempBundle(t, {
      rootfs: 'shared',
      args: ['sh', '-c', 'echo $(stat -c %t:%T /dev/console) $(stat -Lc %t:%T /proc/self/fd/0)'],
      config: (spec) => {
        spec.process.terminal = true;
      },
    });
    const [file, ...rest] = [...runtime.command, '--root', s.root, 'run', '--bundle', bundle.path, 'console'];
    const line = [file, ...rest].map((word) => `'${word}'`).join(' ');
    const { stdout } = spawnSync('script', ['-qec', line, '/dev/null'], { encoding: 'utf8' });
    // script(1) itself echoes the end of its input in front of it.
    const [, console, standardInput] = /([0-9a-f]+:[0-9a-f]+) ([0-9a-f]+:[0-9a-f]+)/.exec(stdout) ?? [];
    assert.ok(console !== undefined, stdout);
    assert.equal(console, standardInput);
  });
}
