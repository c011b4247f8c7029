/** Tests in the VM, with a program in its place that runs commands here. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { type TestContext, test } from 'node:test';
import { root } from './lib.mjs';
import type { Job } from './test-jobs.mjs';
import { runJob } from './test-jobs.mjs';
import type { Outcome } from './test-outcomes.mjs';
import { needsVm, vmJobs } from './test-vm.mjs';

/** Says what the VM says, and runs the command; `BEGIN` and `END` stand for what goes wrong. */
const PROGRAM = `
import { spawnSync } from 'node:child_process';
const args = process.argv.slice(2);
const at = args.indexOf('--');
const [file, ...rest] = args.slice(at + 1);
const trial = file === 'true';
const fail = (text) => {
  process.stderr.write('vm: ' + text + '\\n');
  process.exit(125);
};
BEGIN
process.stderr.write('vm: start after 1.00 s\\n');
const { NODE_TEST_CONTEXT, ...env } = process.env;
const { status } = spawnSync(file, rest, { stdio: 'inherit', env });
END
process.exit(status);
`;

const TESTS = `
import { test } from 'node:test';
const word: string = 'good';
test(word, () => {});
test('bad', () => { throw new Error('broken'); });
test('left out', { skip: 'why not' }, () => {});
`;

/** Runs a file of tests below test/vm, and gives the outcomes and the names of the jobs. */
async function outcomesOf(
  t: TestContext,
  begin = '',
  end = '',
  missing?: string,
): Promise<[string[], Outcome[]]> {
  const before = process.env.RUNTS_NO_VM;
  const folder = mkdtempSync(join(tmpdir(), 'runts-vm-test-'));
  // Within the project, whose packages and paths it needs.
  const inside = mkdtempSync(join(root, 'dist/try-'));
  t.after(() => {
    for (const path of [folder, inside]) rmSync(path, { recursive: true });
    if (before === undefined) delete process.env.RUNTS_NO_VM;
    else process.env.RUNTS_NO_VM = before;
  });
  const program = join(folder, 'vm.mjs');
  writeFileSync(program, PROGRAM.replace('BEGIN', begin).replace('END', end));
  const file = relative(root, join(inside, 'a.test.ts'));
  writeFileSync(join(root, file), TESTS);
  t.after(() =>
    rmSync(join(root, 'dist/vm/tests', relative(root, inside)), { recursive: true, force: true }),
  );

  const outcomes: Outcome[] = [];
  const perform = (job: Job): Promise<void> => runJob(job, (one: Outcome) => void outcomes.push(one));
  const onHost = (name: string): Job => ({ name: `host ${name}`, run: async () => {} });
  const jobs: Job[] = await vmJobs([file], onHost, perform, {
    program,
    missing: () => missing,
    tests: 'dist/',
  });
  for (const job of jobs) await perform(job);
  const hide = (text: string): string => text.replaceAll(file, 'FILE');
  return [
    jobs.map(({ name }) => hide(name)),
    outcomes
      .filter(({ kind }) => kind !== 'output')
      .map((one) => ({ ...one, file: hide(one.file), name: hide(one.name), text: one.text.split('\n')[0]! })),
  ];
}

const said = (outcomes: readonly Outcome[]): string[] =>
  outcomes.map(({ kind, file, name, text }) =>
    kind === 'end' ? `end ${file}` : `${kind} ${file} ${name}: ${text}`,
  );

const RESULTS = [
  'pass FILE good: ',
  'fail FILE bad: Error: broken',
  'skip FILE left out: why not',
  'end FILE',
];

test('outcomes of tests in the VM are those of their sources', async (t) => {
  const [jobs, outcomes] = await outcomesOf(t);
  assert.deepEqual(jobs, ['FILE']);
  assert.deepEqual(said(outcomes), RESULTS);
});

test('without network there are no further packages', async (t) => {
  const [, outcomes] = await outcomesOf(t, "if (args.includes('--package')) fail('apt-get: exit code 100');");
  assert.deepEqual(said(outcomes), RESULTS);
});

test('where there is no VM, or none comes up, the files run on the host', async (t) => {
  for (const [begin, missing, reason] of [
    ['', 'needs QEMU', 'needs QEMU'],
    ["fail('the VM did not boot')", undefined, 'no test VM here: vm: the VM did not boot'],
  ] as const) {
    const [jobs, outcomes] = await outcomesOf(t, begin, '', missing);
    assert.deepEqual(jobs, ['host FILE']);
    assert.deepEqual(said(outcomes), [`skip test/vm test/vm in the VM: ${reason}`]);
    assert.equal(process.env.RUNTS_NO_VM, reason);
  }
});

test('a VM that comes up no second time is a skip', async (t) => {
  const [, outcomes] = await outcomesOf(t, "if (!trial) fail('no more')");
  assert.deepEqual(said(outcomes), ['skip FILE FILE: no test VM here: vm: no more']);
});

test('a VM that ends in the middle is a failure', async (t) => {
  const [, outcomes] = await outcomesOf(t, '', "if (!trial) fail('it ended')");
  assert.deepEqual(said(outcomes), [...RESULTS, "fail FILE FILE: the VM's exit status: 125"]);
});

test('which files need a VM', () => {
  assert.deepEqual(
    ['test/vm/cgroups.test.ts', 'conformance/vm/vm.test.ts', 'test/update.test.ts', 'test/start.test.ts'].map(
      needsVm,
    ),
    [true, true, true, false],
  );
});
