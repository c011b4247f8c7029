/**
 * Completion for bash, 4.4 or later; it doesn't need the package bash-completion.
 *
 * @module
 */

import type { FlagSpec } from '../types.ts';
import {
  commands,
  globalFlags,
  type Offer,
  operandsOf,
  quote,
  spellings,
  valued,
  valuesOf,
  visible,
} from './words.ts';

/** Shell code that fills `offer` (words) or `kind`. */
function code(offer: Offer): string {
  if (typeof offer === 'string') return `kind=${offer}`;
  return `offer=${quote(offer.join(' '))}`;
}

/** Cases `COMMAND FLAG)` for the flags whose values are known. */
function valueCases(command: string, flags: readonly FlagSpec[]): string[] {
  return flags
    .filter((flag) => flag.type !== 'boolean' && valuesOf(flag).length > 0)
    .map(
      (flag) =>
        `      ${spellings(flag)
          .map((name) => quote(`${command} ${name}`))
          .join('|')}) ${code(valuesOf(flag))} ;;`,
    );
}

export function bash(): string {
  const tables = commands().map(({ name, flags }) => {
    const shown = visible(flags);
    const words = quote(shown.flatMap(spellings).join(' '));
    return `        ${name}) flags=${words} valued=${quote(valued(shown).join(' '))} ;;`;
  });
  const values = [
    ...valueCases('', globalFlags()),
    ...commands().flatMap(({ name, flags }) => valueCases(name, visible(flags))),
  ];
  const operands = commands().flatMap((command) =>
    operandsOf(command).flatMap((offer, index) =>
      offer.length === 0 ? [] : [`      ${quote(`${command.name} ${index}`)}) ${code(offer)} ;;`],
    ),
  );
  return `# bash completion for runts
_runts() {
  local cur=\${COMP_WORDS[COMP_CWORD]} word command= flag= prefix= kind= offer= count=0 i
  local flags=${quote(globalFlags().flatMap(spellings).join(' '))}
  local valued=${quote(valued(globalFlags()).join(' '))}
  local -a root=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ " $valued " == *" $word "* ]]; then
      # Readline takes --flag=value for three words, and NAME=VALUE.
      [[ \${COMP_WORDS[i + 1]} == '=' ]] && ((i++))
      ((i++))
      while [[ \${COMP_WORDS[i + 1]} == '=' ]] && ((i < COMP_CWORD - 1)); do ((i += 2)); done
      if ((i >= COMP_CWORD)); then
        flag=$word
      elif [[ $word == --root ]]; then
        root=(--root "\${COMP_WORDS[i]}")
      fi
    elif [[ $word == --root=* ]]; then
      root=("$word")
    elif [[ $word == -* || $word == '=' ]]; then
      continue
    elif [[ -z $command ]]; then
      command=$word
      case $command in
${tables.join('\n')}
        *) return ;;
      esac
    else
      ((count++))
    fi
  done
  [[ $cur == '=' ]] && cur=
  if [[ -z $flag && $cur == --*=* ]]; then
    flag=\${cur%%=*} prefix=$flag= cur=\${cur#*=}
  fi
  if [[ -n $flag ]]; then
    case "$command $flag" in
${values.join('\n')}
    esac
  elif [[ $cur == -* ]]; then
    offer=$flags
  elif [[ -z $command ]]; then
    offer=${quote(
      commands()
        .map(({ name }) => name)
        .join(' '),
    )}
  else
    case "$command $count" in
${operands.join('\n')}
    esac
  fi
  case $kind in
    files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    folders) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
    containers) offer=$(runts "\${root[@]}" list -q 2>/dev/null) ;;
  esac
  if [[ -n $offer ]]; then mapfile -t COMPREPLY < <(compgen -W "$offer" -- "$cur"); fi
  COMPREPLY=("\${COMPREPLY[@]/#/$prefix}")
}
complete -F _runts runts
`;
}
