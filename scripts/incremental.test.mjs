import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { filesBelow, recordedSteps } from './incremental.mjs';

const scratch = mkdtempSync(join(tmpdir(), 'runts-incremental-test-'));
after(() => rmSync(scratch, { recursive: true }));

it('runs a step when content, settings, the list of inputs or the outputs have changed', async () => {
  const input = join(scratch, 'in');
  const output = join(scratch, 'out');
  let runs = 0;
  /** @param {unknown} [settings] @param {string[]} [inputs] */
  const build = async (settings, inputs = [input]) => {
    runs = 0;
    const work = () => {
      runs++;
      writeFileSync(output, '');
    };
    await recordedSteps(join(scratch, 'record/steps.json'))(
      'x',
      inputs,
      { outputs: [output], run: work },
      settings,
    );
    return runs;
  };
  writeFileSync(input, 'one');
  assert.equal(await build(), 1);
  assert.equal(await build(), 0);
  utimesSync(input, 1, 1);
  assert.equal(await build(), 0, 'a new time is no change');
  writeFileSync(input, 'two');
  assert.equal(await build(), 1, 'content');
  assert.equal(await build({ commit: 'a' }), 1, 'settings');
  assert.equal(await build({ commit: 'a' }, [input, join(scratch, 'missing')]), 1, 'inputs');
  rmSync(output);
  assert.equal(await build({ commit: 'a' }, [input, join(scratch, 'missing')]), 1, 'output');
  writeFileSync(join(scratch, 'record/steps.json'), '{ "x": "trunca');
  assert.equal(await build(), 1, 'a damaged record');
});

it('does not record a step that failed', async () => {
  const step = recordedSteps(join(scratch, 'failing.json'));
  const work = { outputs: [], run: () => Promise.reject(new Error('no')) };
  await assert.rejects(step('x', [], work), /no/);
  await assert.rejects(step('x', [], work), /no/);
});

it('finds files by their path below a folder', () => {
  mkdirSync(join(scratch, 'tree/generated'), { recursive: true });
  for (const name of ['a.ts', 'a.test.ts', 'b.json', 'generated/c.ts'])
    writeFileSync(join(scratch, 'tree', name), '');
  const found = (/** @type {RegExp} */ pattern) =>
    filesBelow(join(scratch, 'tree'), pattern).map((file) => file.slice(scratch.length + 6));
  assert.deepEqual(found(/(?<!\.test)\.ts$/), ['a.ts', 'generated/c.ts']);
  assert.deepEqual(found(/^(?!generated\/).*\.(ts|json)$/), ['a.test.ts', 'a.ts', 'b.json']);
  assert.deepEqual(filesBelow(join(scratch, 'nowhere'), /./), []);
});
