/**
 * Device rules in the kernel: this file runs itself again in a private mount namespace with the v2 hierarchy on a
 * folder there, and lets processes in cgroups of its own try devices.
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '../../container/fixture.ts';
import { RuntsError } from '../../errors.ts';
import type { LinuxDeviceCgroup } from '../../spec/types.ts';
import { createCgroup } from '../create.ts';
import { killCgroup } from '../kill.ts';
import { removeCgroup } from '../remove.ts';
import { applyDeviceRules } from './apply.ts';
import { ACCESS, type DeviceRule, deviceRules } from './rules.ts';

const mountpoint = process.env.RUNTS_TEST_CGROUP2;
const here = fileURLToPath(import.meta.url);

if (mountpoint === undefined) {
  test('device programs in the kernel', (t) => {
    if (process.getuid?.() !== 0) {
      t.skip('needs root');
      return;
    }
    const directory = temporaryDirectory(t);
    const inside = 'mount -t cgroup2 none "$1" || exit 99; exec "$2" --import tsx --test "$3"';
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      ['-m', 'sh', '-c', inside, 'sh', directory, process.execPath, here],
      { encoding: 'utf8', env: { ...env, RUNTS_TEST_CGROUP2: directory } },
    );
    if (status === 99 || status === null || /^unshare:/m.test(stderr)) {
      t.skip(`no private cgroup2 mount: ${stderr.trim()}`);
      return;
    }
    assert.equal(status, 0, stdout + stderr);
  });
} else {
  const base = `/runts-devices-${process.pid}`;
  mkdirSync(mountpoint + base);
  process.on('exit', () => {
    killCgroup(mountpoint + base);
    removeCgroup(mountpoint + base);
  });
  let count = 0;
  const cgroup = (rules: readonly DeviceRule[] | undefined): string => {
    const { directory } = createCgroup(mountpoint, `${base}/${++count}`);
    applyDeviceRules(directory, rules);
    return directory;
  };
  // Without the usual devices of deviceRules(): on many a host those are the only ones that can be opened at all.
  const { r, w, m } = ACCESS;
  const rule = (allow: boolean, access = r | w | m, type: DeviceRule['type'] = 'a'): DeviceRule => {
    return { allow, type, major: null, minor: null, access };
  };
  const zero = (allow: boolean, access: number): DeviceRule => {
    return { allow, type: 'c', major: 1, minor: 5, access };
  };

  /** Runs a shell command in the cgroup; true when it succeeded, false when it was not permitted. */
  const permits = (directory: string, command: string): boolean => {
    const script = `echo $$ >${directory}/cgroup.procs && ${command}`;
    const { status, stderr } = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
    if (status !== 0) assert.match(stderr, /not permitted/);
    return status === 0;
  };
  /** A node of one of the devices in memory: 3 is null, 5 zero, 11 kmsg. */
  const node = (t: TestContext, minor: number): string => {
    const path = `${temporaryDirectory(t)}/node`;
    assert.equal(spawnSync('mknod', [path, 'c', '1', String(minor)]).status, 0);
    return path;
  };

  test('the kernel takes programs of any list', () => {
    const lists: LinuxDeviceCgroup[][] = [
      [{ allow: false }],
      [{ allow: true }, { allow: false, type: 'b', access: 'w' }],
      [{ allow: true, type: 'c' }],
      [{ allow: false, major: 0xffffffff, minor: 0xfffffffe }],
      Array.from({ length: 2000 }, (_, i): LinuxDeviceCgroup => {
        const access = ['r', 'w', 'rw', 'm', 'rwm'][i % 5]!;
        return { allow: i % 3 > 0, type: i % 2 ? 'b' : 'c', major: i % 7, minor: i, access };
      }),
    ];
    for (const list of lists) cgroup(deviceRules(list));
  });

  test('the default config: the usual devices, and nodes of any device but not their use', (t) => {
    const directory = cgroup(deviceRules([{ allow: false, access: 'rwm' }]));
    assert.ok(permits(directory, `: <>${node(t, 5)}`));
    assert.equal(permits(directory, `: <${node(t, 11)}`), false);
    assert.ok(permits(directory, `mknod ${temporaryDirectory(t)}/new c 1 11`));
  });

  test('one kind of access', (t) => {
    const device = node(t, 5);
    const directory = cgroup([rule(false), zero(true, r)]);
    assert.ok(permits(directory, `: <${device}`));
    assert.equal(permits(directory, `: >${device}`), false);
    assert.equal(permits(directory, `: <>${device}`), false);
    assert.equal(permits(directory, `mknod ${device}2 c 1 5`), false);
    const refused = cgroup([rule(true), zero(false, w)]);
    assert.ok(permits(refused, `: <${device}`));
    assert.equal(permits(refused, `: <>${device}`), false);
  });

  test('new rules take the place of the old ones, and none remove them', (t) => {
    const device = node(t, 5);
    const directory = cgroup([rule(false)]);
    assert.equal(permits(directory, `: <${device}`), false);
    applyDeviceRules(directory, [rule(false), zero(true, r)]);
    assert.ok(permits(directory, `: <${device}`));
    applyDeviceRules(directory, [rule(false)]);
    assert.equal(permits(directory, `: <${device}`), false);
    applyDeviceRules(directory, undefined);
    assert.ok(permits(directory, `: <${device}`));
  });

  test('a cgroup below may only do what those above allow', (t) => {
    const device = node(t, 5);
    const outer = cgroup([rule(false)]);
    const { directory } = createCgroup(mountpoint, `${base}/${count}/inner`);
    applyDeviceRules(directory, [rule(true), rule(false, w)]);
    assert.equal(permits(directory, `: <${device}`), false);
    applyDeviceRules(outer, [rule(true), rule(false, w)]);
    assert.ok(permits(directory, `: <${device}`));
  });

  test('a program that the kernel refuses is told with its errno', () => {
    const { directory } = createCgroup(mountpoint, `${base}/${++count}`);
    removeCgroup(directory);
    assert.throws(
      () => applyDeviceRules(directory, deviceRules([{ allow: false }])),
      (error) => error instanceof RuntsError && error.details.errno === 'ENOENT',
    );
  });
}
