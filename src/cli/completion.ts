/**
 * Completion scripts for shells, from the tables of the command line.
 *
 * @module
 */

import { COMMANDS, GLOBAL_FLAGS, HELP_COMMAND, HELP_FLAG } from './tables.ts';
import type { CommandSpec, FlagSpec } from './types.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

const visible = (flags: readonly FlagSpec[]): FlagSpec[] =>
  [...flags, HELP_FLAG].filter((flag) => flag.hidden !== true);
const commands = (): CommandSpec[] =>
  [...COMMANDS, HELP_COMMAND].filter((command) => command.hidden !== true);

/** Every spelling of a flag. */
function spellings(flag: FlagSpec): string[] {
  return flag.short === undefined ? [`--${flag.name}`] : [`--${flag.name}`, `-${flag.short}`];
}

/** Flags that take a value, which is then what is completed next. */
function valued(flags: readonly FlagSpec[]): string[] {
  return flags.filter((flag) => flag.type !== 'boolean').flatMap(spellings);
}

function takesContainer(command: CommandSpec): boolean {
  return command.operands.includes('CONTAINER-ID');
}

function bash(): string {
  const cases = commands().map(
    (command) =>
      `    ${command.name}) flags=${quote(visible(command.flags).flatMap(spellings).join(' '))}; valued=${quote(valued(command.flags).join(' '))}; ids=${takesContainer(command) ? 1 : 0} ;;`,
  );
  return `# bash completion for runts
_runts() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]}
  local i word command= flags= valued= ids=0 root=()
  local globals=${quote(visible(GLOBAL_FLAGS).flatMap(spellings).join(' '))}
  local valuedglobals=${quote(valued(GLOBAL_FLAGS).join(' '))}
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $word == --root ]]; then root=(--root "\${COMP_WORDS[i+1]}"); fi
    if [[ " $valuedglobals " == *" $word "* ]]; then ((i++)); continue; fi
    if [[ $word != -* ]]; then command=$word; break; fi
  done
  case $command in
    '') flags=$globals; valued=$valuedglobals ;;
${cases.join('\n')}
    *) return ;;
  esac
  if [[ " $valued " == *" $prev "* ]]; then
    COMPREPLY=($(compgen -f -- "$cur"))
  elif [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$cur"))
  elif [[ -z $command ]]; then
    COMPREPLY=($(compgen -W ${quote(
      commands()
        .map((c) => c.name)
        .join(' '),
    )} -- "$cur"))
  elif ((ids)); then
    COMPREPLY=($(compgen -W "$(runts "\${root[@]}" list -q 2>/dev/null)" -- "$cur"))
  fi
}
complete -o filenames -F _runts runts
`;
}

/** A word in single quotes. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function zsh(): string {
  // brackets and colons separate the parts of _arguments' specifications
  const escaped = (text: string): string => text.replace(/[[\]:\\]/g, '\\$&');
  const spec = (flag: FlagSpec): string => {
    const names = spellings(flag);
    const exclusive = names.length > 1 ? `(${names.join(' ')})` : '';
    const value = flag.type === 'boolean' ? '' : `:${escaped(flag.value ?? 'value')}:_files`;
    return names
      .map((name) => `    ${quote(`${exclusive}${name}[${escaped(flag.help)}]${value}`)}`)
      .join(' \\\n');
  };
  const describe = commands().map((c) => `    ${quote(`${c.name}:${escaped(c.summary)}`)}`);
  const cases = commands().map((command) => {
    const operands = takesContainer(command) ? ` \\\n    '1:container:($(runts list -q 2>/dev/null))'` : '';
    return `    ${command.name}) _arguments \\\n${visible(command.flags).map(spec).join(' \\\n')}${operands} ;;`;
  });
  return `#compdef runts
_runts() {
  local -a commands
  commands=(
${describe.join('\n')}
  )
  local line state
  _arguments -C \\
${visible(GLOBAL_FLAGS).map(spec).join(' \\\n')} \\
    '1:command:->command' '*::argument:->argument'
  case $state in
  command) _describe command commands ;;
  argument)
    case $line[1] in
${cases.join('\n')}
    esac ;;
  esac
}
_runts "$@"
`;
}

function fish(): string {
  const line = (condition: string, flag: FlagSpec): string =>
    [
      'complete -c runts -n',
      quote(condition),
      flag.short === undefined ? '' : `-s ${flag.short}`,
      `-l ${flag.name}`,
      flag.type === 'boolean' ? '' : '-r',
      `-d ${quote(flag.help)}`,
    ]
      .filter((part) => part !== '')
      .join(' ');
  const lines = ['# fish completion for runts', 'complete -c runts -f'];
  for (const flag of visible(GLOBAL_FLAGS)) lines.push(line('__fish_use_subcommand', flag));
  for (const command of commands()) {
    lines.push(
      `complete -c runts -n '__fish_use_subcommand' -a ${command.name} -d ${quote(command.summary)}`,
    );
    const inside = `__fish_seen_subcommand_from ${command.name}`;
    for (const flag of visible(command.flags)) lines.push(line(inside, flag));
    if (takesContainer(command))
      lines.push(`complete -c runts -n '${inside}' -a '(runts list -q 2>/dev/null)'`);
  }
  return `${lines.join('\n')}\n`;
}

/** The completion script of a shell. */
export function completion(shell: Shell): string {
  return { bash, zsh, fish }[shell]();
}
