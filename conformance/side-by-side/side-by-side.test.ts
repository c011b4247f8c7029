/** Random configs under runts, runc and crun: what their containers see of themselves is the same, or known to differ. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { assertNothingLeft, findCommand, privateWorld, snapshot } from '../../test/harness/index.ts';
import { versionOf } from '../runtime-tools/suite.ts';
import { judge } from './compare.ts';
import { CONFIG } from './generate.ts';
import { isComplete, normalise } from './probe.ts';
import { failuresOf, summary } from './report.ts';
import { compareMany, configAt, describe, makeSides, OTHERS, shrink } from './run.ts';

const { skip } = privateWorld({ cgroups: 'v2', network: true });

/** Always the same, so that a failure is not by chance; `npm run conformance -- side-by-side` takes another each time. */
const SEED = 20_261_122;
const CONFIGS = 500;

/** What known.ts is written for: another version differs in other ways. */
const VERSIONS: Readonly<Record<string, RegExp>> = {
  runc: /^runc version 1\.1\./,
  crun: /^crun version 1\.8/,
};

const here = OTHERS.filter((name) => {
  const path = findCommand(name);
  return path !== undefined && VERSIONS[name]!.test(versionOf(path));
});

test('a seed and a path name one config', () => {
  const [, second] = fc.sample(CONFIG, { seed: 5, numRuns: 2 });
  assert.deepEqual(configAt(5, '1'), second);
});

test('a known difference hides no other line, runtime or config', () => {
  const spec = configAt(5, '0');
  const table = [
    { from: ['runc'], right: 'free', why: 'x', lines: /^other\| exit: 1$/ },
    { from: ['runc'], right: 'free', why: 'y', lines: () => undefined },
  ] as const;
  const lines = ['other| exit: 1', 'other| exit: 12'];
  assert.deepEqual(judge('runc', table, spec, lines), { unknown: ['other| exit: 12'], known: [table[0]] });
  assert.deepEqual(judge('crun', table, spec, lines).unknown, lines);
});

test('a mount is compared field by field', () => {
  const text = '@mounts\n1 0 0:5 / /mnt rw,nosuid,noatime shared:7 - tmpfs none rw,size=4k\n@end\n';
  assert.equal(isComplete(text), true);
  const lines = normalise(text).filter((line) => line.startsWith('mounts: '));
  assert.deepEqual(lines, [
    'mounts: /mnt below has size=4k',
    'mounts: /mnt below is rw',
    'mounts: /mnt does noatime',
    'mounts: /mnt has nosuid',
    'mounts: /mnt is rw',
    'mounts: /mnt is tmpfs none /',
    'mounts: /mnt propagates shared',
  ]);
});

test('mounts on one place are compared as they lie, whichever was made first', () => {
  const lines = (first: string, second: string): string[] =>
    normalise(`@mounts\n1 0 0:5 / / rw - ext4 root rw\n${first}\n${second}\n@end\n`);
  const [lower, upper] = ['0:6 / /mnt rw - tmpfs lower rw', '0:7 / /mnt rw - tmpfs upper rw'];
  assert.deepEqual(lines(`2 3 ${upper}`, `3 1 ${lower}`), lines(`4 1 ${lower}`, `5 4 ${upper}`));
});

const reason =
  skip ||
  (here.length === 0 &&
    'needs runc 1.1 or crun 1.8; npm run conformance -- side-by-side compares with other versions too');

test(`${CONFIGS} random configs, seed ${SEED}`, { skip: reason }, async (t) => {
  const all = await makeSides();
  const before = snapshot();
  const sides = {
    ...all,
    others: all.others.filter(({ runtime }) => here.some((name) => name === runtime.name)),
  };
  const found = await compareMany(sides, SEED, CONFIGS);
  for (const name of here) {
    await t.test(`runts as ${name}`, async () => {
      const failures = failuresOf(found.filter(({ from }) => from === name));
      const [first] = failures;
      const small = first === undefined ? '' : describe(SEED, await shrink(sides, SEED, first));
      assert.equal(failures.length, 0, `${small}\n${summary(found, name)}`);
    });
  }
  for (const name of OTHERS.filter((other) => !here.includes(other))) {
    await t.test(`runts as ${name}`, { skip: `needs ${name} ${VERSIONS[name]!.source}` }, () => {});
  }
  await t.test('nothing is left', async () => {
    await assertNothingLeft(before, [sides.runts.root]);
  });
});
