import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changed } from '../testing.ts';
import type { Scheduler } from '../types.ts';
import { validateSpec } from '../validate.ts';

/** Paths and messages of what is wrong with a small config after a change. */
// biome-ignore lint/suspicious/noExplicitAny: tests put wrong values into specs
function found(change: (spec: any) => void): string[] {
  return validateSpec(changed(change)).map(({ message }) => message);
}

const deadline = (values: Partial<Scheduler>): string[] =>
  found((s) => {
    s.process.scheduler = { policy: 'SCHED_DEADLINE', ...values };
  });

test('SCHED_DEADLINE: runtime <= deadline <= period', () => {
  assert.deepEqual(deadline({ runtime: 1024, deadline: 1024, period: 1024 }), []);
  assert.deepEqual(deadline({ runtime: 2000, deadline: 3000 }), []);
  assert.deepEqual(deadline({ runtime: 2000, deadline: 3000, period: 0 }), []);
  for (const [values, path] of [
    [{}, 'runtime'],
    [{ runtime: 1023, deadline: 2000 }, 'runtime'],
    [{ runtime: 3000, deadline: 2000 }, 'deadline'],
    [{ runtime: 2000 }, 'deadline'],
    [{ runtime: 2000, deadline: 3000, period: 2500 }, 'period'],
    [{ runtime: 2000, deadline: 2 ** 63, period: 2 ** 63 }, 'deadline'],
  ] as const) {
    const [first] = deadline(values);
    assert.match(
      first ?? '',
      new RegExp(`^process\\.scheduler\\.${path}: expected .*SCHED_DEADLINE, found `),
      first,
    );
  }
  assert.match(
    deadline({ runtime: 3000, deadline: 2000 })[0] ?? '',
    /expected at least the runtime, 3000, with/,
  );
});

test('with SCHED_FLAG_KEEP_PARAMS the kernel doesn’t look at the times', () => {
  assert.deepEqual(deadline({ flags: ['SCHED_FLAG_KEEP_PARAMS'] }), []);
});

test('lists of processors', () => {
  const affinity = (value: object): string[] => found((s) => (s.process.execCPUAffinity = value));
  assert.deepEqual(affinity({ initial: '0-3,7', final: '' }), []);
  assert.deepEqual(affinity({ final: '3-1' }), [
    'process.execCPUAffinity.final: "3-1" is no list such as 0-3,7: the range 3-1 runs backwards',
  ]);
  assert.match(affinity({ initial: '1 2' })[0] ?? '', /^process\.execCPUAffinity\.initial: "1 2" is no list/);
  assert.match(affinity({ initial: '70000' })[0] ?? '', /70000 is above 65535/);
});

test('lists of memory nodes', () => {
  const nodes = (text: string): string[] =>
    found((s) => (s.linux.memoryPolicy = { mode: 'MPOL_BIND', nodes: text }));
  assert.deepEqual(nodes('0,2-3'), []);
  assert.match(nodes('2-0')[0] ?? '', /^linux\.memoryPolicy\.nodes: "2-0" is no list such as 0-3,7/);
});

test('the default class of resctrl is "/"', () => {
  const closID = (value: string): string[] => found((s) => (s.linux.intelRdt = { closID: value }));
  assert.deepEqual(closID('/'), []);
  for (const name of ['..', '.', 'a/b', '/a']) assert.equal(closID(name).length, 1, name);
});

test('network devices may share a name with %d', () => {
  const devices = (value: object): string[] =>
    found((s) => {
      s.linux.netDevices = value;
    });
  assert.deepEqual(devices({ a: { name: 'eth%d' }, b: { name: 'eth%d' } }), []);
  assert.equal(devices({ a: { name: 'x' }, b: { name: 'x' } }).length, 1);
});
