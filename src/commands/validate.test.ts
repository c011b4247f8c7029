/** `runts validate` and `runts spec`, as whole programs. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { defaultSpec } from '../spec/default.ts';
import { smallSpec } from '../spec/samples.ts';

const main = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'runts-validate-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function runts(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['--import', 'tsx', main, ...args], { encoding: 'utf8' });
}

const write = (spec: unknown): void => {
  writeFileSync(join(folder, 'config.json'), typeof spec === 'string' ? spec : JSON.stringify(spec));
};

test('spec writes a config that is valid, once', () => {
  for (const [flags, options] of [
    [[], {}],
    [['--rootless'], { rootless: true }],
  ] as const) {
    rmSync(join(folder, 'config.json'), { force: true });
    const { status, stdout, stderr } = runts('spec', ...flags, '--bundle', folder);
    assert.deepEqual([status, stdout, stderr], [0, '', '']);
    const text = readFileSync(join(folder, 'config.json'), 'utf8');
    assert.equal(text, JSON.stringify(defaultSpec(options), null, '\t'));
    const again = runts('spec', ...flags, '-b', folder);
    assert.equal(again.status, 1);
    assert.match(again.stderr, /File config\.json exists\. Remove it first/);
    assert.equal(readFileSync(join(folder, 'config.json'), 'utf8'), text);
  }
  assert.match(
    runts('spec', '-b', join(folder, 'none')).stderr,
    /cannot write .*: no such file or directory/,
  );
});

test('validate says that a config is valid', () => {
  write(smallSpec());
  const { status, stdout, stderr } = runts('validate', '--bundle', folder);
  assert.deepEqual([status, stdout, stderr], [0, 'config.json is valid (ociVersion 1.3.0)\n', '']);
  assert.equal(runts('validate', '--json', '-b', folder).stdout, '[]\n');
});

test('validate warns', () => {
  write({ ...smallSpec(), ociVersion: '1.9.0' });
  const { status, stderr } = runts('validate', '-b', folder);
  assert.deepEqual(
    [status, stderr],
    [0, 'warning: ociVersion: 1.9.0 is newer than 1.3.0: what it adds is ignored\n'],
  );
});

test('validate prints every violation in its line', () => {
  write({ ...smallSpec(), hostname: 5, process: { cwd: 'x', args: [] } });
  const { status, stdout, stderr } = runts('validate', '-b', folder);
  assert.deepEqual([status, stdout], [1, '']);
  assert.deepEqual(stderr.split('\n'), [
    'hostname: expected a string, found 5',
    'process.args: args must not be empty (config.md, Process)',
    'process.cwd: Cwd must be an absolute path (config.md, Process)',
    '',
  ]);
  const json = runts('validate', '-b', folder, '--json');
  assert.equal(json.status, 1);
  assert.deepEqual(
    (JSON.parse(json.stdout) as { path: string }[]).map(({ path }) => path),
    ['hostname', 'process.args', 'process.cwd'],
  );
});

test('validate of what is no JSON', () => {
  write('{"a":');
  const text = runts('validate', '-b', folder);
  assert.equal(text.status, 1);
  assert.match(text.stderr, /config\.json, line 1, column 6: unexpected end of file/);
  const json = runts('validate', '-b', folder, '--json');
  assert.equal(json.status, 1);
  assert.match((JSON.parse(json.stdout) as { message: string }[])[0]?.message ?? '', /line 1, column 6/);
});
