/** The program as it is called: what goes where, and the exit code. No command's own code is run. */

import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { commandHelp, programHelp } from './help.ts';
import { COMMANDS } from './tables/index.ts';
import type { CommandSpec } from './types.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'runts-main-'));
after(() => rmSync(folder, { recursive: true }));

function runts(...argv: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, ['--import', 'tsx', MAIN, ...argv], { encoding: 'utf8' });
}

const command = (name: string) => COMMANDS.find((spec) => spec.name === name) as CommandSpec;

test('--version in its forms', () => {
  for (const argv of [
    ['--version'],
    ['-version'],
    ['-v'],
    ['--root', '/x', '--log', '/no/where', '--version'],
  ]) {
    const { status, stdout, stderr } = runts(...argv);
    assert.match(stdout, /^runts version \d+\.\d+\.\d+\ncommit: \S+\nspec: 1\.3\.0\n/);
    assert.deepEqual([status, stderr], [0, '']);
  }
});

test('help in its forms', () => {
  const expected: [string, string[][]][] = [
    [programHelp(), [[], ['--help'], ['-h'], ['help'], ['-h', 'create'], ['--root', '/x']]],
    [
      commandHelp(command('create')),
      [
        ['create', '--help'],
        ['create', '-h'],
        ['create', 'id', '-help'],
        ['help', 'create'],
      ],
    ],
    [commandHelp(command('start')), [['h', 'start']]],
  ];
  for (const [text, forms] of expected) {
    for (const argv of forms) {
      const { status, stdout, stderr } = runts(...argv);
      assert.deepEqual({ argv, status, stdout, stderr }, { argv, status: 0, stdout: text, stderr: '' });
    }
  }
});

test('a mistake: the help on stdout, one line on stderr, status 1', () => {
  const { status, stdout, stderr } = runts('create', '--pid-file');
  assert.equal(status, 1);
  assert.equal(
    stdout,
    `Incorrect Usage: flag needs an argument: -pid-file\n\n${commandHelp(command('create'))}`,
  );
  assert.match(stderr, /^time="[^"]+" level=error msg="flag needs an argument: -pid-file"\n$/);
  assert.ok(runts('create').stdout.startsWith('Incorrect Usage.\n\nNAME:'));
});

test('with --log the formatted line is in the file and the plain text on stderr', () => {
  for (const argv of [['create'], ['--bogus', 'create'], ['nosuch'], ['--root', '/', 'list']]) {
    const file = join(folder, 'log.json');
    const { status, stderr } = runts('--log', file, '--log-format', 'json', ...argv);
    assert.notEqual(status, 0);
    const { level, msg } = JSON.parse(readFileSync(file, 'utf8'));
    assert.equal(level, 'error');
    assert.equal(stderr, `${msg}\n`);
    rmSync(file);
  }
});

test('JSON on stderr without --log', () => {
  const { stderr } = runts('--log-format=json', '--root=/', 'list');
  const { level, msg, code } = JSON.parse(stderr);
  assert.deepEqual([level, msg, code], ['error', 'Option --root argument should not be set to /', 'E_ROOT']);
});

test('a reader that goes away is no failure, a full disk is one', () => {
  const shell = (redirection: string, ...argv: string[]) =>
    spawnSync(
      '/bin/sh',
      ['-c', `"$@" ${redirection}`, 'sh', process.execPath, '--import', 'tsx', MAIN, ...argv],
      {
        encoding: 'utf8',
      },
    );
  // The reader has ended before the first write.
  const gone = '| (exec <&-; sleep 0); echo done';
  for (const argv of [['--help'], ['--version']]) {
    const { stdout, stderr } = shell(gone, ...argv);
    assert.deepEqual([stdout, stderr], ['done\n', '']);
  }
  const { status, stderr } = shell('>/dev/full', '--help');
  assert.equal(status, 1);
  assert.match(stderr, /write to stdout: no space left on device/);
});

test('on a terminal: a short coloured line', {
  skip: spawnSync('script', ['--version']).error !== undefined,
}, () => {
  const { stdout } = spawnSync(
    'script',
    ['-qec', `${process.execPath} --import tsx ${MAIN} --root / list`, '/dev/null'],
    {
      encoding: 'utf8',
      env: { ...process.env, NO_COLOR: '' },
    },
  );
  assert.match(stdout, /^\x1b\[31mERRO\x1b\[0m\[\d{4}\] Option --root argument should not be set to \/\r\n$/);
});

// What runc says to the same mistakes, where it is installed: the texts after its own name.
const noRunc = spawnSync('runc', ['--version']).error !== undefined;
test('the same mistakes as runc, the same status and text', {
  skip: noRunc && 'runc is not installed',
}, () => {
  const text = ({ stderr }: SpawnSyncReturns<string>) => {
    const message = /msg="((?:[^"\\]|\\.)*)"/.exec(stderr)?.[1] ?? stderr;
    return message
      .replace(/^runc: |^runts: /, '')
      .replace(/ \(.*\)$/, '')
      .replace(/\\n$/, '');
  };
  for (const argv of [
    ['nosuch'],
    ['help', 'nosuch'],
    ['create'],
    ['create', 'a', 'b'],
    ['start'],
    ['state'],
    ['state', 'a', 'b'],
    ['kill'],
    ['kill', 'a', 'b', 'c'],
    ['delete'],
    ['delete', 'a', '--forc'],
    ['delete', 'a', '--', '--force'],
    ['list', 'a'],
    ['list', '--format'],
    ['spec', 'a'],
    ['run'],
    ['--bogus', 'list'],
    ['create', '--bogus', 'a'],
    ['create', '-bogus=1', 'a'],
    ['create', '---bundle', 'a'],
    ['create', '-=x', 'a'],
    ['create', '--bundle'],
    ['-root'],
    ['create', '--preserve-fds', 'abc', 'a'],
    ['create', '--preserve-fds=1e3', 'a'],
    ['create', '--no-pivot=foo', 'a'],
    ['--debug=maybe', 'list'],
    ['--log-format', 'xml', 'list'],
  ]) {
    const theirs = spawnSync('runc', argv, { encoding: 'utf8' });
    const ours = runts(...argv);
    assert.deepEqual([argv, ours.status, text(ours)], [argv, theirs.status, text(theirs)]);
    // Help on stdout or nothing.
    assert.equal(ours.stdout === '', theirs.stdout === '', argv.join(' '));
  }
});
