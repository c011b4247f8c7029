/**
 * What can stand at each place of the command line, from its tables, and how a shell's script is told.
 *
 * @module
 */

import { SIGNAL_NAMES } from '../../linux/signals.ts';
import { COMMANDS, GLOBAL_FLAGS, HELP_COMMAND, HELP_FLAG } from '../tables/index.ts';
import type { CommandSpec, FlagSpec } from '../types.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** What is offered for an operand or a flag's value. */
export type Offer = readonly string[] | 'files' | 'folders' | 'containers';

const NOTHING: Offer = [];

export const visible = (flags: readonly FlagSpec[]): FlagSpec[] =>
  [...flags, ...(flags.includes(HELP_FLAG) ? [] : [HELP_FLAG])].filter((flag) => flag.hidden !== true);

export const globalFlags = (): FlagSpec[] => visible(GLOBAL_FLAGS);

export const commands = (): CommandSpec[] =>
  [...COMMANDS, HELP_COMMAND].filter((command) => command.hidden !== true);

/** Every spelling of a flag. */
export function spellings(flag: FlagSpec): string[] {
  return flag.short === undefined ? [`--${flag.name}`] : [`--${flag.name}`, `-${flag.short}`];
}

/** Spellings of the flags that take a value, which is then what is completed next. */
export function valued(flags: readonly FlagSpec[]): string[] {
  return flags.filter((flag) => flag.type !== 'boolean').flatMap(spellings);
}

/** The values of a flag. */
export function valuesOf(flag: FlagSpec): Offer {
  if (flag.choices !== undefined) return flag.choices;
  if (flag.value === 'DIR') return 'folders';
  return flag.value === 'FILE' || flag.value === 'PATH' ? 'files' : NOTHING;
}

/** Commands whose CONTAINER-ID is a new one. */
const MAKERS = ['create', 'run', 'restore', 'plan'];

/** What each operand of a command can be, in order. */
export function operandsOf({ name, operands }: CommandSpec): Offer[] {
  if (operands === '') return [];
  return operands
    .replace(/[[\]]/g, '')
    .split(' ')
    .map((operand) => {
      if (operand === 'CONTAINER-ID') return MAKERS.includes(name) ? NOTHING : 'containers';
      if (operand === 'FILE') return 'files';
      if (operand === 'SHELL') return SHELLS;
      if (operand === 'SIGNAL') return SIGNAL_NAMES;
      if (operand === 'COMMAND' && name === HELP_COMMAND.name)
        return commands().map((command) => command.name);
      return operand.includes('|') ? operand.split('|') : NOTHING;
    });
}

/** A word in single quotes. */
export function quote(text: string): string {
  return `'${text.split("'").join(`'\\''`)}'`;
}
