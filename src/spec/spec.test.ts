/** Warnings, integers, the default config. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultSpec } from './default.ts';
import { int64, uint64 } from './integers.ts';
import { fullSpec } from './sample-full.ts';
import { dockerSpec, kubernetesSpec, podmanSpec, smallSpec } from './samples.ts';
import { changed } from './testing.ts';
import type { Spec } from './types.ts';
import { validateSpec } from './validate.ts';
import { specWarnings } from './warnings.ts';

const warned = (spec: unknown) => specWarnings(spec as Spec).map(({ message }) => message);

test('configs of real callers have no warnings', () => {
  for (const make of [smallSpec, dockerSpec, podmanSpec, defaultSpec]) assert.deepEqual(warned(make()), []);
});

test('warnings', () => {
  assert.deepEqual(
    warned(
      changed((s) => {
        s.ociVersion = '1.4.0';
        s.mounts[0].destination = 'proc';
        s.process.capabilities = {
          bounding: ['CAP_KILL', 'CAP_FUTURE'],
          ambient: ['CAP_KILL'],
          permitted: ['CAP_KILL'],
        };
        s.linux.resources = { memory: { kernel: 5, kernelTCP: 0 } };
        s.linux.personality = { domain: 'LINUX', flags: ['X'] };
      }),
    ),
    [
      'ociVersion: 1.4.0 is newer than 1.3.0: what it adds is ignored',
      'mounts[0].destination: "proc" is relative, which is deprecated: taken from "/"',
      'process.capabilities.bounding[1]: unknown capability "CAP_FUTURE" is ignored',
      "process.capabilities.ambient[0]: CAP_KILL can't be ambient: it isn't inheritable",
      'linux.resources.memory.kernel: kernel memory limits are obsolete and ignored',
      'linux.personality.flags: no flag is defined: ignored',
    ],
  );
  assert.deepEqual(warned(kubernetesSpec()), [
    'linux.uidMappings: the user namespace is joined by path and has its own mappings: ignored',
  ]);
  assert.equal(warned(fullSpec()).length, 2);
});

test('the limits of 64-bit integers survive doubles', () => {
  assert.equal(uint64(JSON.parse('18446744073709551615')), 18446744073709551615n);
  assert.equal(uint64(5), 5n);
  assert.equal(int64(JSON.parse('9223372036854775807')), 9223372036854775807n);
  assert.equal(int64(JSON.parse('-9223372036854775808')), -9223372036854775808n);
  assert.equal(int64(-1), -1n);
});

test('the default config', () => {
  const { linux, process, mounts } = defaultSpec();
  assert.deepEqual(process?.args, ['sh']);
  assert.equal(process?.terminal, true);
  assert.deepEqual(
    linux?.namespaces?.map(({ type }) => type),
    ['pid', 'network', 'ipc', 'uts', 'mount', 'cgroup'],
  );
  assert.equal(mounts?.length, 7);
});

test('the default config of an ordinary user', () => {
  const spec = defaultSpec({ rootless: true });
  assert.deepEqual(validateSpec(spec), []);
  assert.deepEqual(
    spec.linux?.namespaces?.map(({ type }) => type),
    ['pid', 'ipc', 'uts', 'mount', 'cgroup', 'user'],
  );
  assert.deepEqual(spec.linux?.uidMappings, [{ containerID: 0, hostID: process.geteuid?.(), size: 1 }]);
  assert.equal(spec.linux?.resources, undefined);
  assert.ok(!JSON.stringify(spec).includes('gid=5'), 'group tty is not mapped');
  assert.deepEqual(spec.mounts?.find(({ destination }) => destination === '/sys')?.options?.[0], 'rbind');
});
