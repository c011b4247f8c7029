import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { validateFeatures } from '../schemas/generated/validate.mjs';
import { features, UNSAFE_ANNOTATIONS } from './features.ts';
import { PHASES } from './hooks/phases.ts';
import { LAST_KNOWN_CAPABILITY } from './linux/caps.ts';
import { MEMORY_POLICY_FLAGS, MEMORY_POLICY_MODES } from './plan/memory-policy.ts';
import { knownMountOptions } from './plan/mount-options.ts';
import { NAMESPACE_FLAGS } from './plan/namespaces.ts';
import { ACTIONS, FLAGS } from './seccomp/tables.ts';
import { changed } from './spec/testing.ts';
import { validateSpec } from './spec/validate.ts';

const SCHEMAS = new URL('../schemas/', import.meta.url);
const all = features(['SECCOMP_FILTER_FLAG_LOG']);
const linux = all.linux!;

/** The values that a schema allows for a type. */
function allowed(schema: string, type: string): string[] {
  const { definitions } = JSON.parse(readFileSync(new URL(schema, SCHEMAS), 'utf8'));
  return [...definitions[type].enum].sort();
}

test('it is what the specification’s schema allows', () => {
  assert.deepEqual(validateFeatures(all), []);
});

test('versions: every 1.x up to the one that is implemented', () => {
  assert.deepEqual([all.ociVersionMin, all.ociVersionMax], ['1.0.0', '1.3.0']);
  for (const ociVersion of [all.ociVersionMin, all.ociVersionMax]) {
    assert.deepEqual(validateSpec(changed((s) => Object.assign(s, { ociVersion }))), []);
  }
});

test('lists are those of the tables that the code works by', () => {
  const keys = (table: object): string[] => Object.keys(table).sort();
  assert.deepEqual([...all.hooks!].sort(), keys(PHASES));
  assert.deepEqual(all.mountOptions, knownMountOptions());
  assert.deepEqual(linux.namespaces, keys(NAMESPACE_FLAGS));
  assert.equal(linux.capabilities?.length, LAST_KNOWN_CAPABILITY + 1);
  assert.deepEqual(linux.seccomp?.actions, keys(ACTIONS));
  assert.deepEqual(linux.seccomp?.knownFlags, keys(FLAGS));
  assert.deepEqual(linux.memoryPolicy, {
    modes: keys(MEMORY_POLICY_MODES),
    flags: keys(MEMORY_POLICY_FLAGS),
  });
});

test('lists have everything that a config may say', () => {
  const { namespaces, seccomp, memoryPolicy } = linux;
  for (const [schema, type, list] of [
    ['config-linux.schema.json', 'LinuxNamespaceType', namespaces],
    ['config-linux.schema.json', 'MemoryPolicyModeType', memoryPolicy?.modes],
    ['config-linux.schema.json', 'MemoryPolicyFlagType', memoryPolicy?.flags],
    ['config-seccomp.schema.json', 'LinuxSeccompAction', seccomp?.actions],
    ['config-seccomp.schema.json', 'LinuxSeccompOperator', seccomp?.operators],
    ['config-seccomp.schema.json', 'LinuxSeccompFlag', seccomp?.knownFlags],
    ['config-seccomp.schema.json', 'Arch', seccomp?.archs],
  ] as const) {
    assert.deepEqual(list, allowed(schema, type), type);
  }
});

test('what callers decide by', () => {
  // containerd, moby and CRI-O
  assert.ok(all.mountOptions?.includes('rro'));
  assert.equal(linux.mountExtensions?.idmap?.enabled, true);
  assert.deepEqual(linux.cgroup, { v1: false, v2: true, systemd: true, systemdUser: true, rdma: true });
});

test('every annotation that the code reads is named as potentially unsafe', () => {
  const sources = readdirSync(new URL('.', import.meta.url), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !/\.test\.ts$|sample|testing|^features/.test(name))
    .map((name) => readFileSync(new URL(name, import.meta.url), 'utf8'))
    .join('\n');
  // Prefixes of annotations that runtimes have: systemd's, CRIU's and crun's.
  const names = /'((?:org\.systemd|org\.criu|run\.oci|module\.wasm)\.[-/\w.]{2,})'/g;
  const read = [...sources.matchAll(names)].map(([, key]) => key!);
  assert.deepEqual([...new Set(read)].sort(), [...UNSAFE_ANNOTATIONS].sort());
});
