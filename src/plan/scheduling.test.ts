import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IOPRIO_CLASS, SCHED, SCHED_FLAG } from '../../ffi/constants/scheduling.ts';
import { Program } from '../../ffi/program.ts';
import type { Scheduler } from '../spec/types.ts';
import { ioPriorityValue, planScheduling, schedulerAttributes } from './scheduling.ts';
import { lines } from './testing/context.ts';

/** struct sched_attr, sched_setattr(2). */
function decode(scheduler: Scheduler): Record<string, number | bigint> {
  const content = schedulerAttributes(scheduler);
  const view = new DataView(content.buffer);
  return {
    size: view.getUint32(0, true),
    policy: view.getUint32(4, true),
    flags: view.getBigUint64(8, true),
    nice: view.getInt32(16, true),
    priority: view.getUint32(20, true),
    runtime: view.getBigUint64(24, true),
    deadline: view.getBigUint64(32, true),
    period: view.getBigUint64(40, true),
  };
}

test('every policy has its number', () => {
  for (const [name, policy] of Object.entries(SCHED)) {
    assert.equal(decode({ policy: `SCHED_${name}` as Scheduler['policy'] }).policy, policy, name);
  }
});

test('every flag has its bit', () => {
  for (const [name, flag] of Object.entries(SCHED_FLAG)) {
    const flags = [`SCHED_FLAG_${name}`] as Scheduler['flags'];
    assert.equal(decode({ policy: 'SCHED_OTHER', flags }).flags, BigInt(flag), name);
  }
  const flags = Object.keys(SCHED_FLAG).map((name) => `SCHED_FLAG_${name}`) as Scheduler['flags'];
  assert.equal(decode({ policy: 'SCHED_OTHER', flags }).flags, 0x7fn);
});

test('the structure', () => {
  assert.deepEqual(decode({ policy: 'SCHED_OTHER' }), {
    ...{ size: 56, policy: 0, flags: 0n, nice: 0, priority: 0, runtime: 0n, deadline: 0n, period: 0n },
  });
  assert.equal(decode({ policy: 'SCHED_BATCH', nice: -20 }).nice, -20);
  assert.equal(decode({ policy: 'SCHED_RR', priority: 99 }).priority, 99);
  const times = decode({ policy: 'SCHED_DEADLINE', runtime: 1e6, deadline: 2 ** 40, period: 2 ** 62 });
  assert.deepEqual([times.runtime, times.deadline, times.period], [1000000n, 1n << 40n, 1n << 62n]);
});

test('I/O priority: class and level', () => {
  assert.equal(ioPriorityValue({ class: 'IOPRIO_CLASS_RT', priority: 0 }), IOPRIO_CLASS.RT << 13);
  assert.equal(ioPriorityValue({ class: 'IOPRIO_CLASS_BE', priority: 7 }), (IOPRIO_CLASS.BE << 13) | 7);
  assert.equal(ioPriorityValue({ class: 'IOPRIO_CLASS_IDLE' }), IOPRIO_CLASS.IDLE << 13);
});

test('the plan', () => {
  const program = new Program();
  planScheduling(program, {
    cwd: '/',
    scheduler: { policy: 'SCHED_FIFO', priority: 3, flags: ['SCHED_FLAG_RESET_ON_FORK'] },
    ioPriority: { class: 'IOPRIO_CLASS_BE', priority: 6 },
  });
  assert.deepEqual(lines(program), [
    '# process.scheduler',
    'sched_setattr(0, {policy=SCHED_FIFO, priority=3, flags=SCHED_FLAG_RESET_ON_FORK}, 0)',
    '# process.ioPriority',
    'ioprio_set(1, 0, 16390) # IOPRIO_CLASS_BE 6',
  ]);
});
