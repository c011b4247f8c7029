/** The rule of root.ts, for every field of a config that names a place in the container. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RESOLVE } from '../../ffi/constants/index.ts';
import type { Arg, Op } from '../../ffi/program.ts';
import type { Spec } from '../spec/types.ts';
import { planCreate } from './create.ts';
import type { HostFacts, PlanOptions } from './types.ts';

/** In every path of the container, and in nothing else. */
const MARK = 'of-the-image';

const FACTS: HostFacts = {
  machine: 'x64',
  euid: 0,
  egid: 0,
  lastCapability: 40,
  cgroupMount: '/sys/fs/cgroup',
  missingTargets: new Map([[`/${MARK}/link`, `/${MARK}/x/y/z`]]),
};
const OPTIONS: PlanOptions = {
  id: 'box',
  bundle: '/bundle',
  rootfs: '/bundle/rootfs',
  stateDir: '/run/runts/box',
  mode: 'run',
  cgroupPath: '/box',
  noPivot: false,
  noNewKeyring: false,
  preserveFds: 0,
};

function specWith(user: boolean): Spec {
  const at = (path: string): string => `/${MARK}/${path}`;
  const map = [{ containerID: 0, hostID: 1000, size: 10 }];
  return {
    ociVersion: '1.3.0',
    process: { cwd: at('cwd/deep'), args: ['true'] },
    root: { path: 'rootfs', readonly: true },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['mode=755', 'ro'] },
      { destination: `/dev/${MARK}`, type: 'tmpfs', source: 'x', options: ['mode=755'] },
      { destination: at('tmpfs'), type: 'tmpfs', source: 'x' },
      { destination: at('copy'), type: 'tmpfs', source: 'x', options: ['tmpcopyup', 'ro', 'rshared'] },
      { destination: at('bind'), source: '/usr', options: ['rbind', 'rro', 'rprivate'] },
      { destination: at('file'), source: '/etc/passwd', options: ['bind', 'ro', 'nosuid'] },
      { destination: at('link'), source: '/usr', options: ['bind'] },
      {
        destination: at('mapped'),
        source: '/usr',
        options: ['bind', 'idmap'],
        uidMappings: map,
        gidMappings: map,
      },
      { destination: at('proc'), type: 'proc', source: 'proc' },
      { destination: at('sys'), type: 'sysfs', source: 'sysfs' },
      { destination: at('sys/fs/cgroup'), type: 'cgroup', source: 'cgroup' },
      { destination: at('mqueue'), type: 'mqueue', source: 'mqueue', options: ['remount'] },
    ],
    linux: {
      namespaces: [{ type: 'mount' }, { type: 'pid' }, ...(user ? [{ type: 'user' as const }] : [])],
      ...(user ? { uidMappings: map, gidMappings: map } : {}),
      devices: [
        { path: `/dev/${MARK}`, type: 'c', major: 1, minor: 3 },
        { path: at('devices/one'), type: 'p' },
      ],
      maskedPaths: [at('masked'), at('masked2')],
      readonlyPaths: [at('readonly')],
    },
  };
}

function strings(arg: Arg | string): string[] {
  if (typeof arg === 'string') return [arg];
  if (arg === null || typeof arg !== 'object') return [];
  if (arg.kind === 'words') return arg.words.flatMap((word) => strings(word as Arg));
  if (arg.kind === 'bytes') return [Buffer.from(arg.bytes).toString('latin1')];
  return [];
}

/** After the root is entered, where paths are the container's and resolved in it. */
function isInside(op: Op): boolean {
  return op.field === 'process.cwd' && op.kind === 'syscall' && op.name === 'chdir';
}

for (const user of [false, true]) {
  test(`paths of the container are resolved inside of it only${user ? ', with a user namespace' : ''}`, () => {
    const { program } = planCreate(specWith(user), OPTIONS, { ...FACTS });
    let marked = 0;
    for (const op of program.ops) {
      if (op.kind !== 'syscall' || isInside(op)) continue;
      op.args.forEach((arg, i) => {
        if (!strings(arg).some((text) => text.includes(MARK))) return;
        marked++;
        const text = typeof arg === 'string' ? arg : '';
        switch (op.name) {
          case 'openat2': {
            assert.equal(i, 1);
            assert.ok(!text.startsWith('/'), text);
            break;
          }
          case 'mkdirat':
          case 'mknodat':
          case 'symlinkat':
          case 'fchownat':
          case 'openat':
            assert.ok(text !== '' && !text.includes('/') && text !== '..', `${op.name} ${text}`);
            break;
          default:
            // A device of the host, by its path there.
            assert.ok(op.name === 'open_tree' && op.field?.startsWith('linux.devices'), `${op.name} ${text}`);
        }
      });
    }
    assert.ok(marked > 10);
  });

  test(`openat2 never leaves the root${user ? ', with a user namespace' : ''}`, () => {
    const { program } = planCreate(specWith(user), OPTIONS, { ...FACTS });
    const calls = program.ops.filter((op) => op.kind === 'syscall' && op.name === 'openat2');
    assert.ok(calls.length > 10);
    for (const { args } of calls) {
      const how = args[2];
      assert.ok(typeof how === 'object' && how !== null && how.kind === 'words');
      const wanted = RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS;
      assert.equal(Number(how.words[2]) & wanted, wanted);
    }
  });
}

test('a target costs few operations, however deep it is', () => {
  const count = (mounts: number, depth: number): number => {
    const spec = specWith(false);
    spec.mounts = Array.from({ length: mounts }, (_, i) => ({
      destination: `/a${'/b'.repeat(depth)}/${i}`,
      source: '/usr',
      options: ['bind'],
    }));
    return planCreate(spec, OPTIONS, FACTS).program.ops.length;
  };
  assert.equal(count(20, 1), count(20, 30));
  assert.equal(count(120, 1) - count(20, 1), 100 * 8);
});
