/** `runts features`, as containerd, Docker and CRI-O read it. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { validateFeatures } from '../schemas/generated/validate.mjs';
import { features } from '../src/features.ts';
import type { Features } from '../src/spec/types.ts';
import { privateWorld, runtimes, session } from './harness/index.ts';

const { skip } = privateWorld();

for (const runtime of runtimes()) {
  test(`${runtime.name}: features prints one object of the specification, and nothing on stderr`, {
    skip,
  }, (t) => {
    const { code, stdout, stderr } = session(t, runtime).call(['features'], {
      // CRI-O's environment
      env: { CRI_O_EXTERNAL: '1', PATH: process.env.PATH ?? '' },
    });
    assert.deepEqual([code, stderr], [0, '']);
    const printed = JSON.parse(stdout) as Features;
    assert.deepEqual(validateFeatures(printed), []);
    const flags = printed.linux?.seccomp?.supportedFlags ?? [];
    assert.ok(flags.includes('SECCOMP_FILTER_FLAG_LOG'), flags.join());
    const { annotations, ...expected } = features(flags);
    assert.deepEqual({ ...printed, annotations }, { ...expected, annotations });
    assert.equal(printed.annotations?.['run.oci.runts.version'], annotations?.['run.oci.runts.version']);
  });

  test(`${runtime.name}: features takes no operands`, { skip }, (t) => {
    assert.notEqual(session(t, runtime).call(['features', 'x']).code, 0);
  });
}
