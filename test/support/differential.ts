/**
 * The same bundles under runts and under another runtime: what differs in what their containers see.
 *
 * @module
 */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  type Bundle,
  type Result,
  type Runtime,
  runtimes,
  session,
  type TestSpec,
  tempBundle,
  uniqueId,
} from '../harness/index.ts';
import { differences, type Known, normalise, PROBE } from './probe.ts';

const BASE = 100_000;

/** Configs that between them use everything whose effect a container can see. */
export const CONFIGS: Record<string, (spec: TestSpec) => void> = {
  plain: () => {},
  'a user': (spec) => {
    const names = ['CAP_KILL', 'CAP_CHOWN', 'CAP_NET_RAW'];
    spec.process.user = { uid: 1000, gid: 1000, additionalGids: [5, 7, 1000] };
    spec.process.env.push('A=1', 'A=2', 'HOME=');
    spec.process.cwd = '/made/here';
    spec.process.capabilities = {
      bounding: [...names, 'CAP_SETUID'],
      permitted: names,
      effective: names,
      inheritable: names,
      ambient: ['CAP_KILL'],
    };
  },
  'root without rights': (spec) => {
    spec.process.capabilities = {};
    spec.process.noNewPrivileges = false;
    spec.root.readonly = true;
  },
  limits: (spec) => {
    spec.process.rlimits = [
      { type: 'RLIMIT_NOFILE', soft: 64, hard: 128 },
      { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
      { type: 'RLIMIT_STACK', soft: 1 << 20, hard: 1 << 22 },
    ];
    spec.process.oomScoreAdj = 123;
  },
  'mounts of all kinds': (spec) => {
    const add = (destination: string, type: string, ...options: string[]): void =>
      void spec.mounts.push({ destination, type, source: type, options });
    add('/m/ro', 'tmpfs', 'ro', 'nosuid', 'size=1m');
    add('/m/flags', 'tmpfs', 'nodev', 'noexec', 'noatime', 'mode=0700');
    add('/m/strict', 'tmpfs', 'strictatime', 'nodiratime');
    add('/m/shared', 'tmpfs', 'shared');
    add('/m/slave', 'tmpfs', 'slave');
    add('/m/unbindable', 'tmpfs', 'unbindable');
    add('/var/run/x', 'tmpfs', 'nosuid');
    add('/link/below', 'tmpfs');
    for (const [name, ...options] of [
      ['plain', 'bind'],
      ['recursive', 'rbind', 'ro'],
      ['private', 'rbind', 'rprivate', 'nosuid'],
      ['slave', 'rbind', 'rslave'],
      ['shared', 'rbind', 'rshared'],
    ]) {
      spec.mounts.push({ destination: `/b/${name}`, type: 'none', source: '/usr/share', options });
    }
    spec.mounts.push({
      destination: '/b/file',
      type: 'bind',
      source: '/etc/hostname',
      options: ['bind', 'ro'],
    });
  },
  devices: (spec) => {
    spec.linux.devices = [
      { path: '/dev/one', type: 'c', major: 1, minor: 5, fileMode: 0o640, uid: 12, gid: 34 },
      { path: '/dev/deep/two', type: 'b', major: 7, minor: 0, fileMode: 0o600 },
      { path: '/dev/fifo', type: 'p', fileMode: 0o622 },
    ];
  },
  'sysctls and names': (spec) => {
    spec.hostname = 'a-name';
    spec.linux.sysctl = { 'net.ipv4.ip_forward': '1', 'kernel.shmmax': '1234567' };
  },
  'few namespaces': (spec) => {
    delete spec.hostname;
    spec.linux.namespaces = [{ type: 'mount' }, { type: 'pid' }];
    spec.mounts = spec.mounts.filter(({ type }) => type !== 'sysfs' && type !== 'mqueue');
    spec.linux.maskedPaths = ['/proc/kcore', '/proc/keys'];
  },
  'a user namespace': (spec) => {
    spec.linux.namespaces.push({ type: 'user' });
    spec.linux.uidMappings = [{ containerID: 0, hostID: BASE, size: 65_536 }];
    spec.linux.gidMappings = [{ containerID: 0, hostID: BASE, size: 65_536 }];
  },
  'a terminal': (spec) => {
    spec.process.terminal = true;
    spec.process.user = { uid: 1000, gid: 1000 };
  },
};

/** Makes what the configs find in the rootfs. */
function furnish(rootfs: string, userNamespace: boolean): void {
  mkdirSync(join(rootfs, 'srv/real'), { recursive: true });
  symlinkSync('/srv/real', join(rootfs, 'link'));
  symlinkSync('../run', join(rootfs, 'var/run'));
  writeFileSync(join(rootfs, 'etc/extra'), '');
  if (!userNamespace) return;
  for (const above of ['..', '../..']) chmodSync(join(rootfs, above), 0o711);
  assert.equal(spawnSync('chown', ['-R', `${BASE}:${BASE}`, rootfs]).status, 0);
}

/** Runs one config under one runtime and gives what its container saw. */
function look(t: TestContext, runtime: Runtime, config: (spec: TestSpec) => void): string[] {
  const bundle = tempBundle(t, { args: ['sh', '-c', PROBE, 'probe', 'an argument'], config });
  furnish(
    bundle.rootfs,
    bundle.config.linux.namespaces.some(({ type }) => type === 'user'),
  );
  const { code, stdout, stderr, id } = bundle.config.process.terminal
    ? runOnTerminal(t, runtime, bundle)
    : session(t, runtime).run(bundle);
  const replaced = stdout.replaceAll(bundle.config.linux.cgroupsPath!, '/CGROUP');
  return [
    `exit: ${code}`,
    `stderr: ${stderr.replaceAll(id, 'ID')}`,
    ...normalise(replaced, bundle.rootfs, id),
  ];
}

/** runc wants to be on a terminal itself, to hand it on; script(1) gives it one. */
function runOnTerminal(t: TestContext, runtime: Runtime, bundle: Bundle): Result & { id: string } {
  const s = session(t, runtime);
  const id = uniqueId();
  const command = [...runtime.command, '--root', s.root, 'run', '--bundle', bundle.path, id];
  const { status, stdout, stderr } = spawnSync('script', ['-qec', command.join(' '), '/dev/null'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 30_000,
  });
  // script(1) types a NUL when its input ends, which the terminal may echo.
  return { code: status ?? -1, stdout: stdout.replace(/\^@|\0/g, ''), stderr, id };
}

/** Tests of every config: what differs must be known. What is known must differ somewhere, or it is out of date. */
export function compare(
  other: Runtime | undefined,
  known: readonly Known[],
  options: { skip: string | false; without?: readonly string[] },
): void {
  const used = new Set<Known>();
  const configs = Object.entries(CONFIGS).filter(([name]) => !options.without?.includes(name));
  for (const runtime of runtimes()) {
    for (const [name, config] of configs) {
      test(`${runtime.name} and ${other?.name}: ${name}`, { skip: options.skip }, (t) => {
        const found = differences(look(t, runtime, config), look(t, other!, config));
        const unknown = found.filter((line) => {
          const reason = known.find(({ lines }) => lines.test(line));
          if (reason !== undefined) used.add(reason);
          return reason === undefined;
        });
        assert.deepEqual(unknown, []);
      });
    }
  }
  test(`differences from ${other?.name} that are no longer there`, { skip: options.skip }, () => {
    assert.deepEqual(
      known.filter((entry) => !used.has(entry)).map(({ why }) => why),
      [],
    );
  });
}
