/**
 * Completion for zsh: a file `_runts` in a folder of `$fpath`, or read by `source` after compinit.
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
  valuesOf,
  visible,
} from './words.ts';

/** Brackets and colons separate the parts of _arguments' specifications. */
const escaped = (text: string): string => text.replace(/[[\]:\\]/g, '\\$&');

/** The action of a specification of _arguments. */
function action(offer: Offer): string {
  if (offer === 'files') return '_files';
  if (offer === 'folders') return '_files -/';
  if (offer === 'containers') return '_runts_containers';
  // A space is the action that offers nothing, and says so.
  return offer.length === 0 ? ' ' : `(${offer.join(' ')})`;
}

function specification(flag: FlagSpec): string[] {
  const names = spellings(flag);
  const repeat = flag.repeat === true ? '*' : '';
  const exclusive = names.length > 1 && repeat === '' ? `(${names.join(' ')})` : '';
  const value = flag.type === 'boolean' ? '' : `:${escaped(flag.value ?? 'value')}:${action(valuesOf(flag))}`;
  return names.map((name) => {
    // "--name=" takes "--name value" and "--name=value".
    const join = value !== '' && name.startsWith('--') ? '=' : '';
    return quote(`${repeat}${exclusive}${name}${join}[${escaped(flag.help)}]${value}`);
  });
}

export function zsh(): string {
  const list = (specs: readonly string[]): string => specs.join(' \\\n        ');
  const cases = commands().map((command) => {
    const names = command.operands.replace(/[[\]]/g, '').toLowerCase().split(' ');
    const operands = operandsOf(command).map((offer, index) =>
      quote(`${index + 1}:${escaped(names[index] ?? '')}:${action(offer)}`),
    );
    const specs = [...visible(command.flags).flatMap(specification), ...operands];
    return `      ${command.name})\n        _arguments ${list(specs)} ;;`;
  });
  const described = commands().map(({ name, summary }) => quote(`${name}:${escaped(summary)}`));
  return `#compdef runts
_runts_containers() {
  local -a ids
  ids=(\${(f)"$(runts $runts_root list -q 2>/dev/null)"})
  _describe -t containers container ids
}
_runts() {
  local curcontext=$curcontext state
  local -a line runts_root described
  local -A opt_args
  described=(
        ${described.join('\n        ')}
  )
  _arguments -C \\
        ${list(globalFlags().flatMap(specification))} \\
        '1:command:->command' '*::argument:->argument'
  case $state in
  command) _describe -t commands command described ;;
  argument)
    if (( \${+opt_args[--root]} )); then runts_root=(--root "\${(Q)opt_args[--root]}"); fi
    case $line[1] in
${cases.join('\n')}
    esac ;;
  esac
}
if [[ $funcstack[1] == _runts ]]; then _runts "$@"; else compdef _runts runts; fi
`;
}
