/**
 * Completion for fish.
 *
 * @module
 */

import type { FlagSpec } from '../types.ts';
import { commands, globalFlags, type Offer, operandsOf, quote, valued, valuesOf, visible } from './words.ts';

/** The options of `complete` that say what is offered. */
function offered(offer: Offer): string {
  if (offer === 'files') return '-F';
  if (offer === 'folders') return "-f -a '(__fish_complete_directories)'";
  if (offer === 'containers') return "-f -a '(__runts_containers)'";
  return offer.length === 0 ? '-f' : `-f -a ${quote(offer.join(' '))}`;
}

function flagLine(condition: string, flag: FlagSpec): string {
  const parts = [`complete -c runts -n ${quote(condition)} -l ${flag.name}`];
  if (flag.short !== undefined) parts.push(`-s ${flag.short}`);
  if (flag.type !== 'boolean') parts.push(`-r ${offered(valuesOf(flag))}`);
  return [...parts, `-d ${quote(flag.help)}`].join(' ');
}

export function fish(): string {
  const cases = commands()
    .filter(({ flags }) => valued(flags).length > 0)
    .map(
      ({ name, flags }) =>
        `          case ${name}\n            set valued ${valued(visible(flags)).join(' ')}`,
    );
  const lines: string[] = [];
  for (const flag of globalFlags()) lines.push(flagLine('__runts_at 0', flag));
  for (const command of commands()) {
    const { name, summary, flags } = command;
    lines.push(`complete -c runts -n '__runts_at 0' -a ${name} -d ${quote(summary)}`);
    for (const flag of visible(flags)) lines.push(flagLine(`__runts_in ${name}`, flag));
    operandsOf(command).forEach((offer, index) => {
      if (offer.length === 0) return;
      lines.push(`complete -c runts -n '__runts_at ${index + 1} ${name}' ${offered(offer)}`);
    });
  }
  return `# fish completion for runts
function __runts_words -d 'The folder of --root, then the command and its operands, before the cursor'
  set -l tokens (commandline -opc)
  set -e tokens[1]
  set -l valued ${valued(globalFlags()).join(' ')}
  set -l root ''
  set -l words
  while set -q tokens[1]
    set -l token $tokens[1]
    set -e tokens[1]
    if contains -- $token $valued
      if set -q tokens[1]
        test $token = --root; and set root $tokens[1]
        set -e tokens[1]
      end
    else if string match -q -- '--root=*' $token
      set root (string replace -- '--root=' '' $token)
    else if not string match -q -- '-*' $token
      set -a words $token
      if test (count $words) -eq 1
        set valued
        switch $token
${cases.join('\n')}
        end
      end
    end
  end
  printf '%s\\n' "$root" $words
end
function __runts_at -d 'Whether so many words stand before the cursor, the first of them the command'
  set -l words (__runts_words)
  test (count $words) -eq (math $argv[1] + 1); or return 1
  test (count $argv) -eq 1; or test "$words[2]" = $argv[2]
end
function __runts_in -d 'Whether this is the command'
  set -l words (__runts_words)
  test "$words[2]" = $argv[1]
end
function __runts_containers
  set -l words (__runts_words)
  if test -n "$words[1]"
    runts --root $words[1] list -q 2>/dev/null
  else
    runts list -q 2>/dev/null
  end
end
complete -c runts -f
${lines.join('\n')}
`;
}
