/** Containers without a mount namespace: confined by chroot, their mounts seen on the host until they are deleted. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  type Bundle,
  mountPoints,
  privateWorld,
  type Runtime,
  runtimes,
  session,
  type TestSpec,
  tempBundle,
} from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { testsOf } from './support/inside.ts';

const { skip } = privateWorld();

function withoutMountNamespace(t: TestContext, args: string[], config?: (spec: TestSpec) => void): Bundle {
  return tempBundle(t, {
    args,
    config: (spec) => {
      spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'mount');
      spec.linux.maskedPaths = [];
      spec.linux.readonlyPaths = [];
      config?.(spec);
    },
  });
}

function within(folder: string): string[] {
  return mountPoints().filter((point) => point === folder || point.startsWith(`${folder}/`));
}

function start(
  t: TestContext,
  runtime: Runtime,
  bundle: Bundle,
): { s: ReturnType<typeof session>; id: string; pid: number } {
  const s = session(t, runtime);
  const { id, code, output } = s.detach(bundle);
  assert.equal(code, 0, output());
  return { s, id, pid: s.state(id).pid };
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('it has the runtime’s mounts and a root of its own, which go when it is deleted', (t) => {
    const bundle = withoutMountNamespace(t, ['sleep', '1000']);
    const { s, id, pid } = start(t, runtime, bundle);
    assert.equal(readlinkSync(`/proc/${pid}/ns/mnt`), readlinkSync('/proc/self/ns/mnt'));
    assert.equal(readlinkSync(`/proc/${pid}/root`), bundle.rootfs);
    assert.ok(within(bundle.rootfs).includes(join(bundle.rootfs, 'proc')), within(bundle.rootfs).join());
    const exec = s.ok(['exec', id, 'sh', '-c', 'echo /*; pwd']);
    assert.match(exec, /\/bin .*\n\/\n$/);
    s.ok(['delete', '--force', id]);
    assert.deepEqual(within(bundle.rootfs), []);
  });

  it('a mount that was at the root before stays', (t) => {
    const bundle = withoutMountNamespace(t, ['true'], (spec) => {
      spec.root.readonly = true;
    });
    assert.equal(spawnSync('mount', ['--bind', bundle.rootfs, bundle.rootfs]).status, 0);
    const s = session(t, runtime);
    assert.equal(s.run(bundle).code, 0);
    assert.deepEqual(within(bundle.rootfs), [bundle.rootfs]);
    assert.equal(spawnSync('umount', [bundle.rootfs]).status, 0);
  });

  it('nothing is left mounted after a failure', (t) => {
    const bundle = withoutMountNamespace(t, ['no-such-command']);
    const s = session(t, runtime);
    const { code } = failureOf(s.run(bundle, { globals: JSON_LOG }));
    assert.equal(code, 'E_EXEC');
    assert.deepEqual(within(bundle.rootfs), []);
  });

  it('the propagation of the root needs a mount namespace', (t) => {
    const bundle = withoutMountNamespace(t, ['true'], (spec) => {
      spec.linux.rootfsPropagation = 'shared';
    });
    const { code, msg } = failureOf(session(t, runtime).run(bundle, { globals: JSON_LOG }));
    assert.equal(code, 'E_CONFIG_INVALID');
    assert.match(msg, /linux\.rootfsPropagation: needs a mount namespace/);
  });
}
