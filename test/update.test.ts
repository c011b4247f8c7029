/** `update` on a kernel with all of cgroup v2. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { missingForVm, runInVm, VmError, type VmResult } from '../conformance/vm/vm.ts';
import { runtimes } from './harness/index.ts';

const script = fileURLToPath(new URL('support/update-in-vm.sh', import.meta.url));
const [runtime] = runtimes();

test('limits of a running container', { skip: missingForVm() ?? false }, async (t) => {
  let result: VmResult;
  try {
    result = await runInVm(['sh', script, ...runtime!.command]);
  } catch (error) {
    // No kernel to be had, or no machine that boots.
    if (error instanceof VmError) return t.skip(error.message.split('\n')[0]);
    throw error;
  }
  const { status, stdout, stderr } = result;
  assert.equal(status, 0, stdout + stderr);
  const [set, alone, json, refused = '', paused] = stdout.split(/^-- .*\n/m);
  assert.equal(
    set,
    'memory.max=67108864\nmemory.swap.max=33554432\nmemory.low=16777216\npids.max=20\ncpu.weight=59\n' +
      'cpu.max=50000 200000\ncpu.max.burst=10000\ncpuset.cpus=0\ncpuset.mems=0\n',
  );
  assert.equal(alone, 'memory.max=134217728\nmemory.swap.max=33554432\ncpu.max=100000 200000\n');
  assert.equal(json, 'memory.max=134217728\nmemory.swap.max=max\npids.max=max\n');
  const lines = refused.trim().split('\n');
  assert.match(
    lines[0] ?? '',
    /^refused: .*cpus: cannot write .*900.* to .*cpuset\.cpus: .*nothing was changed/,
  );
  assert.match(lines[1] ?? '', /^refused: .*memory\+swap limit should be >= memory limit/);
  assert.match(lines[2] ?? '', /^refused: .*--l3-cache-schema: container c has no class of service/);
  assert.deepEqual(lines.slice(3), ['pids.max=max', 'cpuset.cpus=0']);
  assert.equal(paused, 'pids.max=33\n"memory":{"limit":134217728,"reservation":16777216,"swap":-1}\n');
});
