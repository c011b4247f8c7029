import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { RuntsError } from '../src/errors.ts';
import { assetPath, currentMachine, installationError, installDirectory, isCompiled } from './engine.ts';
import { CHECKS } from './testing/checks.ts';
import type { CheckResult } from './testing/native-main.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const entry = join(root, 'ffi/testing/native-main.ts');
const bun = join(
  root,
  `node_modules/@oven/bun-linux-${process.arch === 'arm64' ? 'aarch64' : 'x64'}/bin/bun`,
);
const noBun = existsSync(bun) ? false : `no Bun for ${process.arch}`;
const autoload = ['dotenv', 'bunfig', 'tsconfig', 'package-json'].map(
  (what) => `--no-compile-autoload-${what}`,
);

/** A folder with the checks as a program for each engine, and what they are installed with. */
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'runts-engine-')));
const installed = join(folder, 'installed here');
const modulePath = join(installed, 'native.mjs');
const binary = join(installed, 'native');

before(async () => {
  mkdirSync(installed);
  for (const asset of ['koffi.node', 'executor'] as const)
    copyFileSync(assetPath(asset), join(installed, asset));
  await build({ entryPoints: [entry], outfile: modulePath, bundle: true, platform: 'node', format: 'esm' });
  if (noBun) return;
  const args = ['build', '--compile', '--bytecode', '--minify', '--format=esm', ...autoload];
  const compiled = spawnSync(bun, [...args, '--outfile', binary, entry], { cwd: folder, encoding: 'utf8' });
  assert.equal(compiled.status, 0, compiled.stderr);
});
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

for (const [engine, skip, command] of [
  ['a program compiled with Bun', noBun, [binary]],
  ['a module for Node', false, [process.execPath, modulePath]],
] as const) {
  describe(engine, { skip }, () => {
    const file = command.at(-1)!;
    const where = { compiled: command.length === 1, directory: installed };

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

    test('names what is missing of the installation', () => {
      const alone = join(folder, `alone-${command.length}`);
      mkdirSync(alone);
      const copy = join(alone, basename(file));
      copyFileSync(file, copy);
      const [program, ...args] = [...command.slice(0, -1), copy, '--koffi', '--costs'];
      const { status, stderr } = spawnSync(program!, args, { encoding: 'utf8', env: {} });
      assert.notEqual(status, 0);
      const text = `cannot use ${alone}/koffi.node: the file does not exist \\(.*install runts again`;
      assert.match(stderr, new RegExp(text));
    });
  });
}

test('under Bun with koffi, where its own FFI is missing, every check passes too', { skip: noBun }, () => {
  assert.deepEqual(failures([binary, '--koffi']), []);
});
