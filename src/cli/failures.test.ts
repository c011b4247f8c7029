/** What nothing in a command catches: one line with a stable code, under either engine. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { buildPrograms } from '../../test/harness/engines.ts';

const programs = await buildPrograms(join(import.meta.dirname, 'testing.ts'));

for (const [engine, [file, ...first]] of Object.entries(programs)) {
  const end = (way: string): { status: number | null; stdout: string; errors: unknown[] } => {
    const argv = [...first, '--root', '/nonexistent', '--log-format', 'json', 'state', way];
    const { status, stdout, stderr } = spawnSync(file!, argv, { encoding: 'utf8', timeout: 30_000 });
    const errors = stderr
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const { level, code, msg } = JSON.parse(line) as Record<string, string>;
        return [level, code, msg];
      });
    return { status, stdout, errors };
  };
  const failure = (text: string): unknown => ({
    status: 1,
    stdout: '',
    errors: [
      ['error', 'E_INTERNAL', `internal error: ${text} (this is a bug of runts; --debug shows where)`],
    ],
  });

  describe(engine, () => {
    test('a rejected promise that nothing waits for fails a command that has come to its end', () => {
      assert.deepEqual(end('forgotten'), failure('forgotten'));
    });

    test('it ends a command that goes on', () => {
      assert.deepEqual(end('meanwhile'), failure('forgotten'));
    });

    test('of several the first is told', () => {
      assert.deepEqual(end('both'), failure('first'));
    });

    test('a promise may be rejected with nothing', () => {
      assert.deepEqual(end('nothing'), failure('undefined'));
    });

    test('so does an error in a function that the event loop calls', () => {
      assert.deepEqual(end('callback'), failure('forgotten'));
    });

    test('a rejection that something waits for in time is none', () => {
      assert.deepEqual(end('caught'), { status: 0, stdout: '', errors: [] });
    });
  });
}
