/**
 * The plans of the sample bundles, kept as readable text: a change of what a container's init does shows in review.
 *
 * After a wanted change: RUNTS_UPDATE_GOLDEN=1 npm test
 */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { formatProgram } from '../../ffi/format.ts';
import { Program, type ProgramBuilder } from '../../ffi/program.ts';
import { assemble } from '../../ffi/tape.ts';
import { TapeWriter } from '../../ffi/tape-writer.ts';
import { planInto } from './create.ts';
import { formatHostSteps } from './format.ts';
import type { HostFacts, Plan, PlanOptions } from './types.ts';

const BUNDLES = new URL('../../bundles/', import.meta.url);
const GOLDEN = new URL('./golden/', import.meta.url);

const FACTS: HostFacts = {
  machine: 'x64',
  euid: 0,
  egid: 0,
  lastCapability: 40,
  cgroupMount: '/sys/fs/cgroup',
};

function planOf(bundle: string, mode: PlanOptions['mode']): Plan {
  return planned(new Program(), bundle, mode);
}

function planned<P extends ProgramBuilder>(program: P, bundle: string, mode: PlanOptions['mode']): Plan<P> {
  const spec = JSON.parse(readFileSync(new URL(`${bundle}/config.json`, BUNDLES), 'utf8'));
  const options: PlanOptions = {
    id: bundle,
    bundle: `/bundles/${bundle}`,
    rootfs: `/bundles/${bundle}/rootfs`,
    stateDir: `/run/runts/${bundle}`,
    mode,
    cgroupPath: `/${bundle}`,
    consoleSocket: spec.process.terminal === true ? '/tmp/console.sock' : undefined,
    noPivot: false,
    noNewKeyring: false,
    preserveFds: 0,
  };
  return planInto(program, spec, options, FACTS);
}

function textOf(plan: Plan): string {
  return `${['# host', ...formatHostSteps(plan.host), '', '# container', ...formatProgram(plan.program)].join('\n')}\n`;
}

const bundles = readdirSync(BUNDLES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .filter((name) => {
    try {
      readFileSync(new URL(`${name}/config.json`, BUNDLES));
      return true;
    } catch {
      return false;
    }
  });

test('there are sample bundles', () => {
  assert.ok(bundles.includes('hello'), bundles.join());
});

for (const bundle of bundles) {
  test(`the plan of bundles/${bundle} is the golden one`, () => {
    const actual = textOf(planOf(bundle, 'create'));
    const file = new URL(`${bundle}.txt`, GOLDEN);
    if (process.env.RUNTS_UPDATE_GOLDEN === '1') writeFileSync(file, actual);
    assert.equal(actual, readFileSync(file, 'utf8'));
  });

  test(`the plan of bundles/${bundle} gives the same tape by way of a program and without`, () => {
    const fds = { sync: 10, cgroup: 11, start: 12, result: 13, console: 14 };
    for (const mode of ['create', 'run'] as const) {
      const direct = planned(new TapeWriter('x64'), bundle, mode).program.finish({ fds, reportFd: 10 });
      const { program } = planOf(bundle, mode);
      assert.deepEqual(assemble(program, { machine: 'x64', fds, reportFd: 10 }), direct);
    }
  });
}
