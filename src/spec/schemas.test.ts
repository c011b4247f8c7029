/** The schemas themselves, and the generated validators against Ajv's own. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import * as generated from '../../schemas/generated/validate.mjs';
import { fullSpec } from './sample-full.ts';
import { dockerSpec, kubernetesSpec, minimalSpec, podmanSpec, smallSpec } from './samples.ts';
import { runtsError } from './testing.ts';
import { validateProcessObject, validateSpec } from './validate.ts';
import { invalid } from './violations.ts';

interface Schema {
  $ref?: string;
  title?: string;
  description?: string;
  type?: string;
  properties?: Record<string, Schema>;
  definitions?: Record<string, Schema>;
}

const root = fileURLToPath(new URL('../../', import.meta.url));
const names = readdirSync(`${root}schemas`).filter((name) => name.endsWith('.schema.json'));
const schemas = Object.fromEntries(
  names.map((name) => [name, JSON.parse(readFileSync(`${root}schemas/${name}`, 'utf8')) as Schema]),
);

/** Calls back with every schema of a property. */
function eachProperty(schema: Schema, visit: (name: string, property: Schema) => void): void {
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    visit(name, property);
    eachProperty(property, visit);
  }
  for (const definition of Object.values(schema.definitions ?? {})) eachProperty(definition, visit);
}

test('every property has a description that names the section of the specification', () => {
  let count = 0;
  for (const [file, schema] of Object.entries(schemas)) {
    eachProperty(schema, (name, { description }) => {
      count += 1;
      if (file === 'features.schema.json' && name === 'enabled') return;
      assert.match(
        description ?? '',
        /\((config|config-[a-z]+|runtime|features|features-linux)\.md[^()]*\)\.$/,
        name,
      );
    });
  }
  assert.ok(count > 230, `${count} properties`);
});

test('no schema forbids unknown properties: the specification demands extensibility', () => {
  for (const name of names)
    assert.ok(!/"additionalProperties": false/.test(readFileSync(`${root}schemas/${name}`, 'utf8')), name);
});

test('the full sample has every property of a config', () => {
  const missing: string[] = [];
  const walk = (schema: Schema, file: string, value: unknown, path: string): void => {
    if (schema.$ref !== undefined) {
      const [target, fragment = ''] = schema.$ref.split('#');
      let found: unknown = schemas[target || file];
      for (const key of fragment.split('/').slice(1)) found = (found as Record<string, unknown>)[key];
      walk(found as Schema, target || file, value, path);
      return;
    }
    for (const [name, property] of Object.entries(schema.properties ?? {})) {
      const child = (value as Record<string, unknown>)[name];
      if (child === undefined) missing.push(`${path}.${name}`);
      else walk(property, file, child, `${path}.${name}`);
    }
    const { items } = schema as { items?: Schema };
    // What one entry lacks another may have.
    if (items !== undefined && Array.isArray(value))
      walk(items, file, Object.assign({}, ...value), `${path}[]`);
  };
  walk(schemas['config.schema.json'] as Schema, 'config.schema.json', fullSpec(), '');
  assert.deepEqual(missing, []);
});

test('state and features', () => {
  const state = { ociVersion: '1.3.0', id: 'x', status: 'running', pid: 5, bundle: '/b', annotations: {} };
  assert.deepEqual(generated.validateState(state), []);
  assert.deepEqual(
    generated
      .validateState({ ...state, status: 'dead', bundle: 'b', pid: -1, id: undefined })
      .map(({ path }) => path),
    ['/id', '/status', '/pid', '/bundle'],
  );
  const features = {
    ociVersionMin: '1.0.0',
    ociVersionMax: '1.3.0',
    hooks: ['prestart'],
    mountOptions: ['ro'],
    linux: {
      namespaces: ['pid', 'time'],
      capabilities: ['CAP_KILL'],
      cgroup: { v1: false, v2: true, systemd: true, systemdUser: true, rdma: true },
      seccomp: {
        enabled: true,
        actions: ['SCMP_ACT_LOG'],
        operators: ['SCMP_CMP_NE'],
        archs: ['SCMP_ARCH_X86'],
      },
      memoryPolicy: { modes: ['MPOL_BIND'], flags: ['MPOL_F_STATIC_NODES'] },
      intelRdt: { enabled: true, schemata: true, monitoring: true },
      mountExtensions: { idmap: { enabled: true } },
      netDevices: { enabled: true },
    },
    annotations: { a: 'b' },
    potentiallyUnsafeConfigAnnotations: ['x.'],
  };
  assert.deepEqual(generated.validateFeatures(features), []);
  assert.deepEqual(
    generated.validateFeatures({ ociVersionMin: '1', linux: { namespaces: ['x'] } }).map(({ path }) => path),
    ['/ociVersionMax', '/ociVersionMin', '/linux/namespaces/0'],
  );
});

// Ajv as it is, with the schemas as they are: what the compacted validators must agree with.
const ajv = new Ajv({ allErrors: true, schemas: Object.values(schemas) as object[], strict: true });
const reference = ajv.getSchema('config.schema.json');

/** Where the violations are: of a missing property its own path, of a number of several tests one path. */
function referencePaths(value: unknown): string[] {
  reference?.(value);
  const paths = (reference?.errors ?? []).map(({ instancePath, keyword, params }) =>
    keyword === 'required' ? `${instancePath}/${params.missingProperty}` : instancePath,
  );
  return [...new Set(paths)].sort();
}

const samples = [minimalSpec, smallSpec, dockerSpec, kubernetesSpec, podmanSpec, fullSpec];

/** A sample with a few of its values replaced or removed, at any depth. */
const damaged = fc
  .tuple(
    fc.constantFrom(...samples),
    fc.array(
      fc.tuple(
        fc.array(fc.nat(), { minLength: 1, maxLength: 7 }),
        fc.option(fc.jsonValue({ maxDepth: 1 }), { nil: undefined }),
      ),
      {
        minLength: 1,
        maxLength: 4,
      },
    ),
  )
  .map(([make, changes]) => {
    const spec = structuredClone(make()) as unknown as Record<string, unknown>;
    for (const [steps, value] of changes) {
      let parent: Record<string, unknown> = spec;
      let key = '';
      for (const step of steps) {
        const keys = Object.keys(parent);
        if (keys.length === 0) break;
        key = keys[step % keys.length] ?? '';
        const child = parent[key];
        if (typeof child !== 'object' || child === null) break;
        if (step !== steps.at(-1)) parent = child as Record<string, unknown>;
      }
      if (value === undefined && !Array.isArray(parent)) delete parent[key];
      else parent[key] = value ?? null;
    }
    return spec;
  });

test('the compacted validator finds what Ajv finds, in damaged configs', () => {
  fc.assert(
    fc.property(damaged, (spec) => {
      const paths = new Set(generated.validateConfig(spec).map(({ path }) => path));
      assert.deepEqual([...paths].sort(), referencePaths(spec));
    }),
    { numRuns: 3000 },
  );
});

test('the compacted validator finds what Ajv finds, in any JSON', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const paths = new Set(generated.validateConfig(value).map(({ path }) => path));
      assert.deepEqual([...paths].sort(), referencePaths(value));
    }),
    { numRuns: 1000 },
  );
});

test('whatever the config, there are violations with paths or none, and never an exception', () => {
  fc.assert(
    fc.property(fc.oneof(damaged, fc.jsonValue()), (value) => {
      for (const violations of [validateSpec(value), validateProcessObject(value)]) {
        for (const { path, message, found, allowed } of violations) {
          assert.ok(message.startsWith(path === '' ? 'expected' : `${path}: `), message);
          assert.ok(found !== '' && allowed !== '', message);
        }
        if (violations.length === 0) continue;
        runtsError(() => {
          throw invalid('config.json', violations);
        });
      }
    }),
    { numRuns: 2000 },
  );
});

test('generating again does nothing while the schemas are the same', () => {
  const output = `${root}schemas/generated/validate.mjs`;
  const before = statSync(output).mtimeMs;
  const { status, stderr } = spawnSync(process.execPath, [`${root}scripts/generate.mjs`], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  assert.equal(statSync(output).mtimeMs, before);
});

test('generated validators compile nothing and import nothing', () => {
  const code = readFileSync(`${root}schemas/generated/validate.mjs`, 'utf8');
  assert.ok(!/\b(eval|Function|import|require)\b/.test(code), 'plain functions');
});
