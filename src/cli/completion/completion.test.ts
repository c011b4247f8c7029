import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { COMMANDS } from '../tables/index.ts';
import { completion, SHELLS } from './index.ts';

for (const shell of SHELLS) {
  test(`the completion of ${shell} names every command and flag`, () => {
    const script = completion(shell);
    for (const { name, flags } of COMMANDS) {
      assert.ok(script.includes(name), name);
      for (const flag of flags.filter(({ hidden }) => hidden !== true)) {
        const spelling = shell === 'fish' ? `-l ${flag.name}` : `--${flag.name}`;
        assert.ok(script.includes(spelling), `${name} --${flag.name}`);
      }
    }
  });
}

const folder = mkdtempSync(join(tmpdir(), 'runts-completion-'));
after(() => rmSync(folder, { recursive: true }));
const env = { PATH: `${folder}/bin:${process.env.PATH}`, HOME: folder, TERM: 'dumb' };
mkdirSync(`${folder}/bin`);
mkdirSync(`${folder}/bundles`);
writeFileSync(`${folder}/a file.json`, '');
// Instead of runts: other containers below another root.
writeFileSync(
  `${folder}/bin/runts`,
  '#!/bin/sh\ncase "$*" in "list -q") printf "web\\\\ndb\\\\n" ;; *"/other list -q") echo one ;; esac\n',
);
chmodSync(`${folder}/bin/runts`, 0o755);

/** What stands on the line, and what is offered for its end. */
const CASES: readonly [line: string, offers: string[]][] = [
  ['runts cre', ['create']],
  ['runts --log-f', ['--log-format']],
  ['runts --log-format ', ['json', 'text']],
  ['runts --log-format json dele', ['delete']],
  ['runts --cgroup-manager d', ['disabled']],
  ['runts --root bundles resu', ['resume']],
  ['runts kill --a', ['--all']],
  ['runts delete ', ['db', 'web']],
  ['runts delete w', ['web']],
  ['runts --root /other delete ', ['one']],
  ['runts --root=/other delete ', ['one']],
  ['runts kill web TE', ['TERM']],
  ['runts exec --user 1 --env A=b d', ['db']],
  ['runts exec web ', []],
  ['runts create ', []],
  ['runts create --bundle b', ['bin', 'bundles']],
  ['runts update --resources a', ['a file.json']],
  ['runts list --format=', ['json', 'table']],
  ['runts list -f t', ['table']],
  ['runts mounts ', ['add', 'remove']],
  ['runts mounts add w', ['web']],
  ['runts mounts add web a', ['a file.json']],
  ['runts completion ', ['bash', 'fish', 'zsh']],
  ['runts help exe', ['exec']],
  ['runts checkpoint --network-lock s', ['skip']],
];

const lacks = (shell: string): string | false =>
  spawnSync(shell, ['-c', 'true']).status === 0 ? false : `no ${shell}`;

/** Shells add a slash to a folder, a space or what is before the `=`, and quote. */
const plain = (offers: readonly string[]): string[] =>
  offers
    .map((offer) =>
      offer
        .replace(/^--[a-z-]+=/, '')
        .replace(/\\ /g, ' ')
        .replace(/\/?$/, ''),
    )
    .filter((offer) => offer !== '')
    .sort();

test('bash offers what can stand there', { skip: lacks('bash') }, () => {
  const scripts = CASES.map(([line]) => {
    // As readline cuts the line: at = too.
    const words = line.split(/ |(=)/).filter((word) => word !== undefined);
    const list = words.map((word) => `'${word}'`).join(' ');
    return `COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; COMPREPLY=(); _runts; IFS='|'; echo "\${COMPREPLY[*]}"; IFS=$' \\t\\n'`;
  });
  const script = `${completion('bash')}\n${scripts.join('\n')}`;
  const lines = execFileSync('bash', ['--norc', '-c', script], { env, cwd: folder, encoding: 'utf8' }).split(
    '\n',
  );
  CASES.forEach(([line, offers], index) => {
    assert.deepEqual(plain((lines[index] ?? '').split('|')), offers, line);
  });
});

test('bash with words that = does not part', { skip: lacks('bash') }, () => {
  const script = `${completion('bash')}
    COMP_WORDS=(runts list --format=t); COMP_CWORD=2; _runts; echo "\${COMPREPLY[*]}"
    COMP_WORDS=(runts --root=/other kill ''); COMP_CWORD=3; _runts; echo "\${COMPREPLY[*]}"`;
  assert.equal(
    execFileSync('bash', ['--norc', '-c', script], { env, encoding: 'utf8' }),
    '--format=table\none\n',
  );
});

test('fish offers what can stand there', { skip: lacks('fish') }, () => {
  writeFileSync(`${folder}/runts.fish`, completion('fish'));
  const asked = CASES.map(
    ([line]) => `echo (complete -C '${line}' | string replace -r '\\t.*' '' | string join '|')`,
  );
  const script = `source ${folder}/runts.fish\n${asked.join('\n')}`;
  const { stdout, stderr } = spawnSync('fish', ['--no-config', '-c', script], {
    env,
    cwd: folder,
    encoding: 'utf8',
  });
  assert.equal(stderr, '');
  const lines = stdout.split('\n');
  CASES.forEach(([line, offers], index) => {
    assert.deepEqual(plain((lines[index] ?? '').split('|')), offers, line);
  });
});

test('zsh offers what can stand there', { skip: lacks('zsh') }, () => {
  writeFileSync(`${folder}/runts.zsh`, completion('zsh'));
  // The line editor works in a terminal only. There compadd, which is told all that can be, writes down what fits.
  writeFileSync(
    `${folder}/setup.zsh`,
    `autoload -Uz compinit && compinit -u -d ${folder}/.zcompdump
    source ${folder}/runts.zsh
    compadd () {
      local -a found
      builtin compadd -O found "$@"
      [[ " $* " != *' -'[OAD]' '* ]] && (( $#found )) && print -rl -- $found >> ${folder}/offers
      builtin compadd "$@"
    }
    zstyle ':completion:*' verbose no
    bindkey '^Xk' kill-whole-line
    cd ${folder}`,
  );
  const asked = CASES.map(
    ([line], index) => `
    : > ${folder}/offers
    zpty -w -n z $'${line}\\t\\C-xk'
    zpty -w z 'print DONE$((${index} + 1000))'
    wait_for DONE${index + 1000}
    print -r -- "\${(j:|:)\${(f)"$(<${folder}/offers)"}}"`,
  );
  const script = `zmodload zsh/zpty || exit 9
    zpty z 'zsh -f -i'
    wait_for () { local out; while zpty -r z out; do [[ $out == *$1* ]] && return; done; exit 8 }
    zpty -w z 'source ${folder}/setup.zsh; print LOADED$((1 + 1))'
    wait_for LOADED2
    ${asked.join('\n')}
    zpty -d z`;
  const { stdout, stderr, status } = spawnSync('zsh', ['-f', '-c', script], {
    env,
    cwd: folder,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  const lines = stdout.split('\n');
  CASES.forEach(([line, offers], index) => {
    assert.deepEqual([...new Set(plain((lines[index] ?? '').split('|')))], offers, line);
  });
});
