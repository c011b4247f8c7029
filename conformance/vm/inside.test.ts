/**
 * The tests below test/vm, which need a kernel whose cgroups are ours, and systemd: run in the VM, and reported here
 * one by one.
 */

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { missingForVm, runInVm } from './vm.ts';

const project = join(import.meta.dirname, '../..');
const files = readdirSync(join(project, 'test/vm')).filter((name) => name.endsWith('.test.ts'));

/** One test of a TAP report at its margin, with the diagnostic that follows. */
interface Report {
  name: string;
  passed: boolean;
  skip: string | undefined;
  details: string;
}

/** TAP as node:test writes it; names have "#" and the backslash escaped. */
export function parseTap(text: string): Report[] {
  const reports: Report[] = [];
  for (const line of text.split('\n')) {
    const [, not, rest] = /^(not )?ok \d+ - (.*)$/.exec(line) ?? [];
    if (rest === undefined) {
      const last = reports.at(-1);
      if (last !== undefined && line.startsWith(' ')) last.details += `${line}\n`;
      continue;
    }
    const [, name = rest, skip] = /^(.*?) # SKIP ?(.*)$/.exec(rest) ?? [];
    reports.push({ name: name.replaceAll(/\\(.)/g, '$1'), passed: not === undefined, skip, details: '' });
  }
  return reports;
}

for (const file of files) {
  const systemd = file.startsWith('systemd');
  test(`in the VM${systemd ? ' with systemd' : ''}: ${file}`, {
    skip: missingForVm() ?? false,
  }, async (t: TestContext) => {
    const command = [
      process.execPath,
      '--import',
      'tsx',
      '--test',
      '--test-reporter=tap',
      join('test/vm', file),
    ];
    // An overlay, as the VM's root is, can't hold everything; and its page cache is charged to the tests' cgroups.
    const result = await runInVm(command, {
      systemd,
      cwd: project,
      env: { TMPDIR: '/scratch' },
      timeout: 1800,
    });
    const reports = parseTap(result.stdout);
    assert.ok(reports.length > 0, `status ${result.status}: ${result.stdout}${result.stderr}`);
    for (const { name, passed, skip, details } of reports) {
      await t.test(name, { skip: skip ?? false }, () => assert.ok(passed, details));
    }
  });
}

test('a TAP report', () => {
  const text =
    'TAP version 13\n# Subtest: a\nok 1 - a \\# b\n  ---\n  x: 1\nnot ok 2 - c\n  why\nok 3 - d # SKIP no e\n1..3\n';
  const reports = parseTap(text).map(({ name, passed, skip, details }) => [name, passed, skip, details]);
  assert.deepEqual(reports, [
    ['a # b', true, undefined, '  ---\n  x: 1\n'],
    ['c', false, undefined, '  why\n'],
    ['d', true, 'no e', ''],
  ]);
});
