import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { reasonOf } from '../engines/report.ts';
import { buildForArm64 } from './build.ts';
import { CASES } from './cases.ts';
import { arm64Files } from './packages.ts';
import { missingForArm64, type Prepared, type Result, runCases } from './run.ts';

async function prepared(): Promise<Prepared | string> {
  const missing = missingForArm64();
  if (missing !== undefined) return missing;
  const binary = await buildForArm64();
  try {
    return { binary, files: await arm64Files() };
  } catch (error) {
    // A host without a network has no packages: that says nothing of runts.
    return `no arm64 machine: ${reasonOf(error)}`;
  }
}

const machine = await prepared();

describe('on an arm64 kernel', { skip: typeof machine === 'string' && machine }, async () => {
  const results = new Map<string, Result>();
  let ended: Promise<void> | undefined;
  for (const { name, check } of CASES) {
    it(name, async () => {
      if (typeof machine === 'string') return;
      ended ??= runCases(machine, (one, result) => results.set(one.name, result));
      await ended;
      const result = results.get(name);
      assert.ok(result, 'no result');
      check(result.output, result.status);
    });
  }
});
