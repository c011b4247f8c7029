import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RuntsError } from '../src/errors.ts';
import { buildPrograms, copyAlone } from '../test/harness/engines.ts';
import { assetPath, currentMachine, installationError, installDirectory, isCompiled } from './engine.ts';
import { CHECKS } from './testing/checks.ts';
import type { CheckResult } from './testing/native-main.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const entry = join(root, 'ffi/testing/native-main.ts');
const programs = await buildPrograms(entry);
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'runts-engine-')));
after(() => rmSync(folder, { recursive: true }));

function run(
  command: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): string {
  const [file, ...args] = command;
  const { status, stdout, stderr } = spawnSync(file!, args, {
    encoding: 'utf8',
    timeout: 60_000,
    env: {},
    ...options,
  });
  assert.equal(status, 0, stderr);
  return stdout;
}

/** Runs all checks in a program, and gives those that failed. */
function failures(command: readonly string[]): CheckResult[] {
  const results = run(command)
    .trim()
    .split('\n')
    .map((line): CheckResult => JSON.parse(line));
  assert.equal(results.length, CHECKS.length);
  return results.filter(({ error }) => error !== undefined);
}

describe('from the sources', () => {
  test('the installation is dist/', () => {
    assert.equal(isCompiled(), false);
    assert.equal(installDirectory(), join(root, 'dist'));
    assert.equal(assetPath('executor'), join(root, 'dist/executor'));
  });

  test('the machine is one that has system call numbers', () => {
    assert.ok(['x64', 'arm64'].includes(currentMachine()));
  });

  test('an unusable file is named, with what to do', () => {
    const error = installationError('executor', 'it is empty');
    assert.ok(error instanceof RuntsError);
    assert.equal(error.code, 'E_INSTALL');
    const text = `cannot use ${root}dist/executor: it is empty (executor belongs beside the program; run: npm run build)`;
    assert.equal(error.message, text);
  });
});

for (const [engine, command] of Object.entries(programs)) {
  describe(`a program on ${engine}`, () => {
    const file = command.at(-1)!;
    const where = { compiled: command.length === 1, directory: dirname(file) };

    test('finds its installation from any folder, by a symlink, without an environment', () => {
      const link = join(folder, `link-${command.length}`);
      symlinkSync(file, link);
      for (const path of [file, link]) {
        const output = run([...command.slice(0, -1), path, '--where'], { cwd: '/' });
        assert.deepEqual(JSON.parse(output), where);
      }
    });

    test('looks for it neither in the working folder nor in the environment', () => {
      const env = { PATH: folder, LD_LIBRARY_PATH: folder, NODE_PATH: folder, HOME: folder, PWD: folder };
      const output = run([...command, '--where'], { cwd: folder, env });
      assert.deepEqual(JSON.parse(output), where);
    });

    test('passes every check', () => assert.deepEqual(failures(command), []));

    test('passes every check when the caller ignores SIGCHLD and SIGPIPE', () => {
      const shell = ['/bin/sh', '-c', `trap '' CHLD PIPE; exec "$0" "$@"`];
      assert.deepEqual(failures([...shell, ...command]), []);
    });

    test('passes every check with its standard input closed', () => {
      assert.deepEqual(failures(['/bin/sh', '-c', 'exec "$0" "$@" <&-', ...command]), []);
    });

    test('tells the descriptors that the caller left open from its own', () => {
      const preserve = (count: number) => {
        const [file, ...args] = [...command, '--preserve', String(count)];
        const stdio = ['ignore', 'pipe', 'pipe', 'pipe'] as const;
        return spawnSync(file!, args, { stdio: [...stdio], encoding: 'utf8', env: {} });
      };
      assert.equal(preserve(1).stdout, '[3]\n');
      assert.match(preserve(2).stderr, /file descriptor 4 is not open \(--preserve-fds 2 .* 3 to 4/);
    });

    test('alone in a folder, it works when it is compiled, and else names what is missing', () => {
      const alone = join(folder, `alone-${command.length}`);
      mkdirSync(alone);
      const [program, ...args] = [...copyAlone(command, alone), '--costs'];
      const { status, stderr } = spawnSync(program!, args, { encoding: 'utf8', env: {} });
      if (where.compiled) {
        assert.deepEqual([status, stderr], [0, '']);
        return;
      }
      assert.notEqual(status, 0);
      const text = `cannot use ${alone}/koffi.node: the file does not exist \\(.*install runts again`;
      assert.match(stderr, new RegExp(text));
    });
  });
}
