import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandLines, figuresOf, type Place, sampleOf, selectCycles, wantedMeasures } from './measures.ts';
import type { Sample, SampleResult, StepResult } from './plan.ts';

const place = (lane: number): Place => ({
  id: `c${lane}`,
  bundle: `/b/c${lane}`,
  stateRoot: '/s',
  pidFile: `/b/c${lane}/pid`,
});

function sampleNamed(name: string, wanted?: string[], command = ['/bin/rt']): Sample {
  const cycle = selectCycles([], []).find((c) => c.name === name);
  assert.ok(cycle);
  return sampleOf(
    'k',
    cycle,
    (at) => commandLines(command, at),
    [place(0)],
    new Set(wanted ?? cycle.measures),
  );
}

/** Results with the step's number as its time in ms, for the steps that run when nothing fails. */
function resultOf(sample: Sample): SampleResult {
  const steps = sample.lanes.flatMap((lane, l) =>
    lane.steps.flatMap((step, s): StepResult[] =>
      step.kind === 'clean'
        ? []
        : [{ lane: l, step: s, wallNs: s * 1e6, userUs: s, sysUs: 1, maxRssKB: 1000 + s, status: 0 }],
    ),
  );
  return { wallNs: 99e6, cpuUs: 77, steps, failures: [] };
}

test('commands are written as runc takes them', () => {
  const lines = sampleNamed('lifecycle').lanes[0]?.steps.map((step) => step.argv.join(' '));
  assert.deepEqual(lines, [
    '/bin/rt --root /s create --bundle /b/c0 --pid-file /b/c0/pid c0',
    '/bin/rt --root /s start c0',
    '',
    '/bin/rt --root /s delete c0',
    '/bin/rt --root /s delete --force c0',
  ]);
});

test('a lifecycle is measured as a whole and by command', () => {
  const cycle = selectCycles(['create'], [])[0];
  assert.ok(cycle);
  const sample = sampleNamed('lifecycle');
  const figures = figuresOf(cycle, sample, resultOf(sample));
  assert.deepEqual(figures.get('create+start+delete'), { wallNs: 99e6, cpuUs: 77, maxRssKB: 1003 });
  assert.deepEqual(figures.get('start'), { wallNs: 1e6, cpuUs: 2, maxRssKB: 1001 });
  assert.deepEqual(figures.get('delete'), { wallNs: 3e6, cpuUs: 4, maxRssKB: 1003 });
});

test('a sample with a failure has no figures', () => {
  const cycle = selectCycles(['run'], [])[0];
  assert.ok(cycle);
  const sample = sampleNamed('run');
  const failures = [{ lane: 0, step: 0, status: 1, text: 'x' }];
  assert.equal(figuresOf(cycle, sample, { ...resultOf(sample), failures }).size, 0);
});

test('what a runtime lacks is left out of its steps, and the container is still removed', () => {
  const slots = (wanted: string[]): (string | undefined)[] | undefined =>
    sampleNamed('running', wanted)
      .lanes[0]?.steps.map((step) => step.slot)
      .filter((slot) => slot !== undefined);
  assert.deepEqual(slots(['state', 'exec', 'kill']), ['state', 'exec', 'kill']);
  assert.deepEqual(slots(['state']), ['state']);
  const last = sampleNamed('running', ['state'])
    .lanes[0]?.steps.filter((step) => step.kind === 'run')
    .at(-1);
  assert.ok(last?.argv.includes('--force'));
});

test('only what is asked for is selected, and unknown measures are named', () => {
  assert.deepEqual(
    selectCycles(['state', 'run'], []).map((cycle) => cycle.name),
    ['run', 'running'],
  );
  assert.throws(() => selectCycles(['pause'], []), /no measure "pause"; there are true, version, run/);
});

test('a fleet has a lane a container and is not left out by --only', () => {
  const [cycle] = selectCycles(['true'], [{ containers: 3, concurrency: 2 }]).slice(-1);
  assert.ok(cycle);
  assert.equal(cycle.name, '3 containers, 2 at a time');
  const wanted = wantedMeasures(cycle, ['true']);
  assert.deepEqual([...wanted], [cycle.name]);
  const sample = sampleOf(
    'k',
    cycle,
    (at) => commandLines(['/bin/rt'], at),
    [place(0), place(1), place(2)],
    wanted,
  );
  assert.equal(sample.lanes.length, 3);
  assert.equal(sample.concurrency, 2);
  assert.equal(figuresOf(cycle, sample, resultOf(sample)).get(cycle.name)?.wallNs, 99e6);
});
