/** config-linux.md, "Cgroup ownership" and "IntelRdt", as far as every host can show them. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  privateWorld,
  type Runtime,
  runtimes,
  session,
  type TestSpec,
  tempBundle,
} from '../../test/harness/index.ts';
import { testsOf } from '../../test/support/inside.ts';

const { skip } = privateWorld({ cgroups: 'v2' });

const ROOT = 100_000;

/** A container whose root is the host's user {@link ROOT}. */
function mapped(spec: TestSpec): void {
  spec.linux.namespaces.push({ type: 'user' });
  spec.linux.uidMappings = [{ containerID: 0, hostID: ROOT, size: 65_536 }];
  spec.linux.gidMappings = [{ containerID: 0, hostID: ROOT, size: 65_536 }];
}

function withCgroupMount(...options: string[]): (spec: TestSpec) => void {
  return (spec) =>
    void spec.mounts.push({ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options });
}

/** Owners of the cgroup's folder and of its files, of a created container. */
function owners(
  t: TestContext,
  runtime: Runtime,
  ...changes: ((spec: TestSpec) => void)[]
): Record<string, number> {
  const s = session(t, runtime);
  const bundle = tempBundle(t, {
    config: (spec) => {
      for (const change of changes) change(spec);
    },
  });
  mkdirSync(join(bundle.rootfs, 'sys/fs/cgroup'), { recursive: true });
  // The user namespace's root must get through.
  for (const above of ['..', '../..']) chmodSync(join(bundle.rootfs, above), 0o711);
  const { id, code, output } = s.create(bundle);
  assert.equal(code, 0, output());
  assert.equal(s.state(id).status, 'created');
  const folder = `/sys/fs/cgroup${bundle.config.linux.cgroupsPath}`;
  const names = ['.', ...readdirSync(folder)];
  return Object.fromEntries(names.map((name) => [name, statSync(`${folder}/${name}`).uid]));
}

function changed(of: Record<string, number>): string[] {
  return Object.keys(of).filter((name) => of[name] === ROOT);
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('a cgroup that the container may write is its user’s: the folder and the listed files, no other', (t) => {
    const of = owners(t, runtime, mapped, withCgroupMount('rw'));
    const listed = readFileSync('/sys/kernel/cgroup/delegate', 'utf8').split('\n');
    const expected = Object.keys(of).filter((name) => name === '.' || listed.includes(name));
    assert.deepEqual(changed(of).sort(), expected.sort());
    assert.ok(expected.includes('cgroup.procs'));
    // The kernel lists files of controllers that are not here: no failure.
    assert.ok(listed.some((name) => name !== '' && of[name] === undefined));
  });

  it('a cgroup that the container can’t write keeps its owner', (t) => {
    assert.deepEqual(changed(owners(t, runtime, mapped, withCgroupMount('ro'))), []);
    assert.deepEqual(changed(owners(t, runtime, mapped)), []);
  });

  it('without a cgroup namespace of its own the cgroup keeps its owner', (t) => {
    const without = (spec: TestSpec): void => {
      spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'cgroup');
    };
    assert.deepEqual(changed(owners(t, runtime, mapped, withCgroupMount('rw'), without)), []);
  });

  it('where the kernel lists no files, three get a new owner', (t) => {
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', '/sys/kernel/cgroup'], {
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    t.after(() => void spawnSync('umount', ['/sys/kernel/cgroup']));
    // The kernel gives a user namespace no sysfs while part of the host's is hidden.
    const noSysfs = (spec: TestSpec): void => {
      spec.mounts = spec.mounts.filter(({ destination }) => destination !== '/sys');
    };
    const of = owners(t, runtime, mapped, noSysfs, withCgroupMount('rw'));
    assert.deepEqual(changed(of).sort(), ['.', 'cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads']);
  });

  it('intelRdt without a mounted resctrl is an error', (t) => {
    if (existsSync('/sys/fs/resctrl/schemata')) return t.skip('resctrl is mounted here');
    const bundle = tempBundle(t, {
      rootfs: 'shared',
      config: (spec) => {
        spec.linux.intelRdt = { closID: 'class', schemata: ['L3:0=f'] };
      },
    });
    const { code, stderr } = session(t, runtime).run(bundle);
    assert.notEqual(code, 0);
    assert.match(stderr, /resctrl/);
  });

  it('without intelRdt resctrl is no part of the plan', (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, { rootfs: 'shared' });
    assert.doesNotMatch(s.ok(['plan', '--bundle', bundle.path]), /resctrl|schemata/);
  });
}
