import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Sample, Step } from './plan.ts';
import { makeRunner } from './runner.ts';

const folder = mkdtempSync(join(tmpdir(), 'bench-runner-'));
after(() => rmSync(folder, { recursive: true }));

const noCompiler = spawnSync('cc', ['--version']).status !== 0 ? 'no C compiler' : false;
const quick = { timeoutMs: 400 };
const none = (): undefined => undefined;

const run = (script: string, slot?: string): Step => ({
  kind: 'run',
  argv: ['/bin/sh', '-c', script],
  ...(slot && { slot }),
});
const clean = (script: string): Step => ({ kind: 'clean', argv: ['/bin/sh', '-c', script] });
const wait: Step = { kind: 'wait', argv: [] };

function one(steps: Step[], pidFile?: string): Sample {
  return { key: 'k', concurrency: 1, lanes: [{ steps, ...(pidFile && { pidFile }) }] };
}

for (const mode of ['helper', 'slow'] as const) {
  const skip = mode === 'helper' && noCompiler;
  const make = (): ReturnType<typeof makeRunner> =>
    makeRunner(folder, mode === 'slow' ? { ...quick, slow: true } : quick);

  test(`${mode}: steps run in order and are timed`, { skip }, () => {
    const [result] = make().run([one([run('sleep 0.02'), run('exit 0')])], none);
    assert.ok(result);
    assert.deepEqual(result.failures, []);
    assert.deepEqual(
      result.steps.map((s) => [s.lane, s.step, s.status]),
      [
        [0, 0, 0],
        [0, 1, 0],
      ],
    );
    const slept = result.steps[0]?.wallNs ?? 0;
    assert.ok(slept >= 20e6 && slept < 300e6, `sleep took ${slept} ns`);
    assert.ok(result.wallNs >= slept);
  });

  test(`${mode}: a failing step ends the lane, is quoted, and cleaning up follows`, { skip }, () => {
    const marker = join(folder, `${mode}-cleaned`);
    const steps = [run('echo "went wrong" >&2; exit 3'), run('exit 9'), clean(`echo >${marker}`)];
    const [result] = make().run([one(steps)], none);
    assert.deepEqual(result?.failures, [{ lane: 0, step: 0, status: 3, text: 'went wrong' }]);
    assert.deepEqual(
      result?.steps.map((s) => s.step),
      [0, 2],
    );
    assert.equal(spawnSync('test', ['-e', marker]).status, 0);
  });

  test(`${mode}: cleaning up is left out when nothing failed`, { skip }, () => {
    const [result] = make().run([one([run('exit 0'), clean('exit 1')])], none);
    assert.deepEqual(result?.failures, []);
    assert.equal(result?.steps.length, 1);
  });

  test(`${mode}: waits for a process that the command left behind`, { skip }, () => {
    const pidFile = join(folder, `${mode}-pid`);
    const steps = [run(`sleep 0.08 & echo $! >${pidFile}`), wait, run('exit 0')];
    const [result] = make().run([one(steps, pidFile)], none);
    assert.deepEqual(result?.failures, []);
    const waited = result?.steps[1]?.wallNs ?? 0;
    assert.ok(waited > 30e6, `waited ${waited} ns`);
  });

  test(`${mode}: a process that is gone already is not waited for`, { skip }, () => {
    const pidFile = join(folder, `${mode}-pid`);
    const steps = [run(`true & echo $! >${pidFile}; sleep 0.05`), wait];
    const [result] = make().run([one(steps, pidFile)], none);
    assert.deepEqual(result?.failures, []);
    assert.ok((result?.steps[1]?.wallNs ?? 1e9) < 40e6);
  });

  test(`${mode}: a command that hangs is killed`, { skip }, () => {
    const [result] = make().run([one([run('exec sleep 60')])], none);
    assert.equal(result?.failures[0]?.status, -1);
  });

  test(`${mode}: a program that is missing is status 127`, { skip }, () => {
    const [result] = make().run([one([{ kind: 'run', argv: ['/no/such/program'] }])], none);
    assert.equal(result?.failures[0]?.status, 127);
    assert.match(result?.failures[0]?.text ?? '', /No such file|ENOENT/);
  });
}

test('helper: processor time and peak memory are the command’s own', { skip: noCompiler }, () => {
  const script = 'i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done';
  const [result] = makeRunner(folder, quick).run([one([run(script)])], none);
  const step = result?.steps[0];
  assert.ok(step);
  assert.ok(step.userUs + step.sysUs > 1000 && (step.userUs + step.sysUs) * 1000 <= step.wallNs * 1.1);
  assert.ok((step.maxRssKB ?? 0) > 300 && (step.maxRssKB ?? 0) < 20_000, `peak ${step.maxRssKB} KB`);
});

test('helper: lanes run side by side, no more than allowed', { skip: noCompiler }, () => {
  const lanes = Array.from({ length: 4 }, () => ({ steps: [run('sleep 0.1')] }));
  const elapsed = (concurrency: number): number =>
    makeRunner(folder, { timeoutMs: 5000 }).run([{ key: 'k', concurrency, lanes }], none)[0]?.wallNs ?? 0;
  assert.ok(elapsed(4) < 300e6);
  assert.ok(elapsed(2) >= 200e6);
  assert.ok(elapsed(1) >= 400e6);
});

test('helper: the commands’ environment is clean', { skip: noCompiler }, () => {
  process.env.BENCH_TEST_MARKER = 'x';
  const [result] = makeRunner(folder, quick).run([one([run('test -z "$BENCH_TEST_MARKER"')])], none);
  delete process.env.BENCH_TEST_MARKER;
  assert.deepEqual(result?.failures, []);
});
