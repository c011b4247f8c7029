import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Program } from '../ffi/program.ts';
import { temporaryDirectory } from './container/fixture.ts';
import { RuntsError } from './errors.ts';
import { measure, Trace } from './trace.ts';

test('a clock before every system call, and jumps land on the clock', () => {
  const program = new Program();
  const calls = measure(program);
  const label = program.label('there');
  program.within('mounts[0]', () => program.call('umask', [0], { note: 'why' }));
  program.jump(label);
  program.place(label);
  program.call('setsid', []);
  program.call('seccomp', [1, 0]);
  program.call('execve', ['/bin/true']);
  assert.deepEqual(
    program.ops.map((op) => (op.kind === 'syscall' ? op.name : op.kind)),
    [
      'clock_gettime',
      'pwrite64',
      'umask',
      'jump',
      'clock_gettime',
      'pwrite64',
      'setsid',
      'clock_gettime',
      'pwrite64',
      'seccomp',
      'execve',
    ],
  );
  assert.equal(label.index, 4);
  assert.equal(program.ops[2]?.field, 'mounts[0]');
  assert.deepEqual(calls, [
    { name: 'umask', field: 'mounts[0]', note: 'why' },
    { name: 'setsid', field: undefined, note: undefined },
    { name: 'seccomp', field: undefined, note: undefined },
  ]);
});

test('a trace has a slice for the start and for each thing measured', async (t) => {
  const path = `${temporaryDirectory(t)}/trace.json`;
  const trace = new Trace(path);
  assert.equal(await trace.around('work', () => 42), 42);
  await assert.rejects(trace.step({ step: 'pidFile', path: '/p' }, () => Promise.reject(new Error('no'))));
  trace.finish();
  const { traceEvents } = JSON.parse(readFileSync(path, 'utf8')) as {
    traceEvents: Record<string, unknown>[];
  };
  const slices = traceEvents.filter(({ ph }) => ph === 'X');
  assert.deepEqual(
    slices.map(({ name }) => name),
    ['start of the program', 'work', 'pidFile'],
  );
  for (const { ts, dur } of slices) assert.ok(Number(ts) > 0 && Number(dur) >= 0);
});

test('a trace that cannot be written is told at once', () => {
  assert.throws(
    () => new Trace('/nowhere/trace'),
    (error) =>
      error instanceof RuntsError && /--trace: write \/nowhere\/trace: no such file/.test(error.message),
  );
});
