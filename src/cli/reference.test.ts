import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { completion, SHELLS } from './completion.ts';
import { manPages, markdownPages } from './reference.ts';
import { COMMANDS } from './tables.ts';

const DOCS = new URL('../../docs/commands/', import.meta.url);

test('docs/commands is what the tables say (npm run reference)', () => {
  for (const { file, text } of markdownPages()) {
    assert.equal(readFileSync(new URL(file, DOCS), 'utf8'), text, file);
  }
});

test('every command has a manual page with all its flags', () => {
  const pages = new Map(manPages('1.2.3').map(({ file, text }) => [file, text]));
  for (const { name, flags } of COMMANDS) {
    const text = pages.get(`runts-${name}.8`) ?? '';
    for (const flag of flags.filter(({ hidden }) => hidden !== true))
      assert.ok(text.includes(`\\-\\-${flag.name.replaceAll('-', '\\-')}`), `${name} --${flag.name}`);
  }
});

for (const shell of SHELLS) {
  test(`the completion of ${shell} names every command and flag`, () => {
    const script = completion(shell);
    for (const { name, flags } of COMMANDS) {
      assert.ok(script.includes(name), name);
      for (const flag of flags.filter(({ hidden }) => hidden !== true)) {
        assert.ok(
          script.includes(shell === 'fish' ? `-l ${flag.name}` : `--${flag.name}`),
          `${name} --${flag.name}`,
        );
      }
    }
  });
}

/** What bash offers at the end of a command line. */
function complete(...words: string[]): string[] {
  const script = `${completion('bash')}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _runts; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', script], { encoding: 'utf8', env: { PATH: process.env.PATH } })
    .trim()
    .split('\n');
}

test('bash completes commands, flags of the command, and global flags', () => {
  assert.deepEqual(complete('runts', 'cre'), ['create']);
  assert.deepEqual(complete('runts', 'kill', '--a'), ['--all']);
  assert.deepEqual(complete('runts', '--log-f'), ['--log-format']);
  assert.deepEqual(complete('runts', '--root', '/x', 'resu'), ['resume']);
});
