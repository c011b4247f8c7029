import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Program } from '../../ffi/program.ts';
import { affinityMask, planAffinity, planAnyProcessor } from './affinity.ts';
import { lines } from './testing/context.ts';

test('a list, or every processor that a kernel can have', () => {
  assert.deepEqual([...affinityMask('0,9')], [1, 2, 0, 0, 0, 0, 0, 0]);
  assert.equal(affinityMask('1030').length, 136);
  for (const none of [undefined, '']) {
    const mask = affinityMask(none);
    assert.equal(mask.length, 1024);
    assert.ok(mask.every((byte) => byte === 0xff));
  }
});

test('the plan: a list must be possible, the reset is nice to have', () => {
  const program = new Program();
  planAffinity(program, '0-1', 'process.execCPUAffinity.final');
  planAnyProcessor(program);
  assert.deepEqual(lines(program), [
    '# process.execCPUAffinity.final',
    'sched_setaffinity(0, 8, {CPUs 0-1})',
    '# runts',
    'sched_setaffinity(0, 1024, {all CPUs}) ?any # not the runtime’s own processors',
  ]);
});
