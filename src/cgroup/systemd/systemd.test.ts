/** Names and properties of scopes; systemd itself is in the VM's tests. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RuntsError } from '../../errors.ts';
import type { LinuxResources } from '../../spec/types.ts';
import { limitWrites } from '../controllers/index.ts';
import { deviceRules } from '../devices/rules.ts';
import { scopeName, unitPath } from './names.ts';
import {
  annotatedProperties,
  bitmask,
  deviceProperties,
  limitProperties,
  scopeProperties,
} from './properties.ts';
import { type Property, parseValue, splitSignature } from './values.ts';

const INFINITY = 2n ** 64n - 1n;

const place = (cgroupsPath: string | undefined, user = false): string => {
  const name = scopeName(cgroupsPath, 'c1', user);
  return `${name.slice} ${name.unit} ${unitPath(name)}`;
};

test('names: slice, prefix and name', () => {
  assert.equal(
    place('machine.slice:libpod:abc'),
    'machine.slice libpod-abc.scope /machine.slice/libpod-abc.scope',
  );
  assert.equal(place(undefined), 'system.slice runts-c1.scope /system.slice/runts-c1.scope');
  assert.equal(place(''), 'system.slice runts-c1.scope /system.slice/runts-c1.scope');
  assert.equal(place(':cri:x'), 'system.slice cri-x.scope /system.slice/cri-x.scope');
  assert.equal(place(':cri:x', true), 'user.slice cri-x.scope /user.slice/cri-x.scope');
  assert.equal(place('system.slice::x'), 'system.slice x.scope /system.slice/x.scope');
});

test('names: a dash in a slice is a level', () => {
  const pod = 'kubepods-burstable-pod1_2.slice';
  const path = `/kubepods.slice/kubepods-burstable.slice/${pod}/cri-x.scope`;
  assert.equal(place(`${pod}:cri:x`), `${pod} cri-x.scope ${path}`);
  assert.equal(place('-.slice:cri:x'), '-.slice cri-x.scope /cri-x.scope');
});

test('names: characters that units can’t have are escaped', () => {
  assert.equal(scopeName(undefined, 'a+b', false).unit, 'runts-a\\x2bb.scope');
});

test('names: what is none is refused with the field', () => {
  const wrong: [string, RegExp][] = [
    ['/system.slice/x', /expected cgroupsPath to be of format "slice:prefix:name"/],
    ['a:b', /expected cgroupsPath/],
    ['a.slice:b:c:d', /expected cgroupsPath/],
    ['a.slice:b:', /expected cgroupsPath/],
    ['a:b:c', /is no name of a slice/],
    ['a/b.slice:c:d', /is no name of a slice/],
    ['a--b.slice:c:d', /is no name of a slice/],
    ['-a.slice:c:d', /is no name of a slice/],
    ['.slice:c:d', /is no name of a slice/],
    ['a.slice:b:c.slice', /holds other units/],
    [`a.slice:b:${'c'.repeat(250)}`, /longer than/],
  ];
  for (const [path, message] of wrong) {
    assert.throws(
      () => scopeName(path, 'c1', false),
      (error) =>
        error instanceof RuntsError &&
        error.details.field === 'linux.cgroupsPath' &&
        message.test(error.message),
      path,
    );
  }
});

test('signatures are split into complete types', () => {
  assert.deepEqual(splitSignature('sa(sv)u'), ['s', 'a(sv)', 'u']);
  assert.deepEqual(splitSignature('aas(s(ib))ay'), ['aas', '(s(ib))', 'ay']);
  assert.deepEqual(splitSignature(''), []);
});

test('values in the GVariant text format', () => {
  const known: [string, string, unknown][] = [
    ["'inactive-or-failed'", 's', 'inactive-or-failed'],
    ['"it\'s"', 's', "it's"],
    ["'a\\'b'", 's', "a'b"],
    ['true', 'b', true],
    ['5', 'i', 5n],
    ['-5', 'i', -5n],
    ['uint64 123456789', 't', 123456789n],
    ['1.5', 'd', 1.5],
    ['double 2', 'd', 2],
    ["['a.service', 'b, c']", 'as', ['a.service', 'b, c']],
    ['[1, 2]', 'ai', [1n, 2n]],
    ['@as []', 'as', []],
    ['@au [1,2]', 'au', [1n, 2n]],
    ["objectpath '/a'", 'o', '/a'],
  ];
  for (const [text, type, value] of known) assert.deepEqual(parseValue(text), { type, value }, text);
  for (const text of [
    '',
    'x',
    "'a",
    '[]',
    "[1,'a']",
    'uint64 -1',
    'uint64',
    'foo 5',
    "[''",
    'int32 3000000000',
  ]) {
    assert.equal(parseValue(text), undefined, text);
  }
});

test('annotations become properties', () => {
  assert.deepEqual(
    annotatedProperties({
      'org.systemd.property.TimeoutStopUSec': 'uint64 5',
      'org.systemd.property.TimeoutStopSec': '1.5',
      'org.systemd.property.CollectMode': "'inactive'",
      'org.other': 'x',
    }),
    [
      { name: 'TimeoutStopUSec', type: 't', value: 5n },
      { name: 'TimeoutStopUSec', type: 't', value: 1500000n },
      { name: 'CollectMode', type: 's', value: 'inactive' },
    ],
  );
  const bad = (key: string, value: string) =>
    assert.throws(
      () => annotatedProperties({ [`org.systemd.property.${key}`]: value }),
      (error) => error instanceof RuntsError && error.details.field?.includes(key) === true,
    );
  bad('After', 'uint64 x');
  bad('not a name', "'x'");
  bad('Ab', "'x'");
});

test('a scope has its process, its slice and all accounting', () => {
  const properties = scopeProperties({ slice: 'a.slice' }, 'text', 42, {});
  const value = (name: string) => properties.find((property) => property.name === name);
  assert.deepEqual(value('PIDs'), { name: 'PIDs', type: 'au', value: [42] });
  assert.equal(value('Slice')?.value, 'a.slice');
  assert.equal(value('Delegate')?.value, true);
  for (const what of ['Memory', 'CPU', 'IO', 'Tasks']) assert.equal(value(`${what}Accounting`)?.value, true);
});

const limits = (resources: LinuxResources, version = 253): Record<string, unknown> =>
  Object.fromEntries(
    limitProperties(limitWrites(resources), () => version).map(({ name, value }: Property) => [name, value]),
  );

test('limits as properties', () => {
  assert.deepEqual(
    limits({
      memory: { limit: 1000, reservation: 500, swap: 3000 },
      cpu: { shares: 1024, quota: 25000, period: 50000, cpus: '0-1,9', mems: '0' },
      pids: { limit: 7 },
      blockIO: { weight: 1000, weightDevice: [{ major: 8, minor: 0, weight: 10 }] },
    }),
    {
      MemorySwapMax: 2000n,
      MemoryMax: 1000n,
      MemoryLow: 500n,
      CPUWeight: 100n,
      CPUQuotaPerSecUSec: 500000n,
      CPUQuotaPeriodUSec: 50000n,
      AllowedCPUs: [3, 2],
      AllowedMemoryNodes: [1],
      TasksMax: 7n,
      IOWeight: 10000n,
    },
  );
});

test('no limit is infinity', () => {
  assert.deepEqual(limits({ memory: { limit: -1 }, pids: { limit: -1 }, cpu: { quota: -1 } }), {
    MemorySwapMax: INFINITY,
    MemoryMax: INFINITY,
    TasksMax: INFINITY,
    CPUQuotaPerSecUSec: INFINITY,
    CPUQuotaPeriodUSec: 100000n,
  });
});

test('a quota is rounded up to a hundredth of a processor', () => {
  assert.equal(limits({ cpu: { quota: 1000, period: 300000 } }).CPUQuotaPerSecUSec, 10000n);
  assert.equal(limits({ cpu: { quota: 33333, period: 100000 } }).CPUQuotaPerSecUSec, 340000n);
});

test('idle, and what unified says last', () => {
  assert.deepEqual(limits({ cpu: { idle: 1 } }), { CPUWeight: 0n });
  assert.deepEqual(
    limits({
      memory: { limit: 5 },
      unified: {
        'memory.max': '7',
        'memory.high': 'max',
        'memory.min': '3',
        'memory.oom.group': '1',
        'cpu.max': '10000',
        'cpu.weight': '50',
        'misc.max': 'x 1',
      },
    }),
    {
      MemoryMax: 7n,
      MemoryHigh: INFINITY,
      MemoryMin: 3n,
      OOMPolicy: 'kill',
      CPUQuotaPerSecUSec: 100000n,
      CPUQuotaPeriodUSec: 100000n,
      CPUWeight: 50n,
    },
  );
});

test('an old systemd gets what it knows', () => {
  const resources: LinuxResources = {
    cpu: { quota: 25000, cpus: '0', idle: 1 },
    unified: { 'memory.min': '3', 'memory.oom.group': '1' },
  };
  assert.deepEqual(limits(resources, 239), { CPUQuotaPerSecUSec: 250000n });
});

test('the version is asked for only when it matters', () => {
  const never = (): number => assert.fail('asked');
  limitProperties(limitWrites({ memory: { limit: 5 }, pids: { limit: 5 }, cpu: { shares: 5 } }), never);
});

test('lists as bits', () => {
  assert.deepEqual(bitmask('0-3,7'), [0b10001111]);
  assert.deepEqual(bitmask('8, 17'), [0, 1, 2]);
  assert.deepEqual(bitmask(''), []);
  assert.equal(bitmask('0-7:2/4'), undefined);
  assert.equal(bitmask('all'), undefined);
});

const PROC_DEVICES = `Character devices:
  1 mem
136 pts
195 nvidia

Block devices:
  8 sd
`;

test('device rules as DeviceAllow', () => {
  const allowed = (rules: NonNullable<LinuxResources['devices']>): unknown => {
    const [policy, reset, allow] = deviceProperties(deviceRules(rules), PROC_DEVICES);
    assert.deepEqual(reset, { name: 'DeviceAllow', type: 'a(ss)', value: [] });
    return allow === undefined ? policy?.value : allow.value;
  };
  const usual = allowed([{ allow: false }]) as [string, string][];
  assert.deepEqual(usual[0], ['char-*', 'm']);
  assert.ok(usual.some(([name, access]) => name === 'char-pts' && access === 'rwm'));
  assert.ok(usual.some(([name, access]) => name === '/dev/char/1:3' && access === 'rwm'));
  const nvidia = allowed([
    { allow: false },
    { allow: true, type: 'c', major: 195, access: 'rw' },
    { allow: true, type: 'b', major: 8, minor: 16, access: 'r' },
    { allow: false, type: 'b', major: 8, minor: 16 },
  ]) as [string, string][];
  assert.deepEqual(nvidia.slice(0, 2), [
    ['char-nvidia', 'rw'],
    ['/dev/block/8:16', 'r'],
  ]);
  assert.equal(allowed([{ allow: true }]), 'auto');
  assert.equal(
    allowed([{ allow: true }, { allow: false, type: 'b' }]),
    'auto',
    'more is denied by the program',
  );
  assert.equal(allowed([{ allow: false }, { allow: true, type: 'c', major: 240 }]), 'auto', 'no such driver');
  assert.equal(allowed([{ allow: false }, { allow: true, type: 'c', minor: 1 }]), 'auto');
});
