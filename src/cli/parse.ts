/**
 * Parsing of flags by Go's rules.
 *
 * Callers write flags as Go's flag package reads them: go-runc passes `-no-subreaper`, and containerd puts a flag's
 * value into the next argument whatever it looks like. What is a flag and which of them takes a value stands in the
 * command's table. General parsers guess (minimist takes `-no-subreaper` for a heap of one-letter flags, reads
 * `--no-pivot` as `pivot: false` and an id `1e3` as a number), and this runs at every start, before any of it is
 * compiled: it calls nothing that is written in JavaScript itself, as the array methods with callbacks are.
 *
 * @module
 */

import { RuntsError } from '../errors.ts';
import type { CommandSpec, FlagSpec, FlagValue } from './types.ts';

/** What an argument list says. */
export interface Parsed {
  /** Values by long name; absent when neither given nor defaulted. */
  flags: Record<string, FlagValue>;
  operands: string[];
  /** What is wrong with the list; `flags` then holds what came before. */
  error?: RuntsError;
}

/**
 * Where flags end, `--` aside. `first-operand`: Go's own rule, for the options before the command. `known`: a flag
 * of the table is also taken after operands, anything else there is an operand; the rule of runc's commands.
 */
export type FlagsEnd = 'first-operand' | 'known';

/** Parses the flags of a table and the operands. Never throws; an error is in the result. */
export function parseFlags(table: readonly FlagSpec[], argv: readonly string[], end: FlagsEnd): Parsed {
  const flags: Record<string, FlagValue> = {};
  const operands: string[] = [];
  const parsed: Parsed = { flags, operands };
  for (const { name, default: value } of table) if (value !== undefined) flags[name] = value;

  for (let index = 0; index < argv.length; index++) {
    const arg = argv[index] as string;
    if (arg === '--') {
      operands.push(...argv.slice(index + 1));
      break;
    }
    // A lone "-" is an operand: by convention stdin.
    if (arg.length < 2 || !arg.startsWith('-')) {
      if (end === 'first-operand') {
        operands.push(...argv.slice(index));
        break;
      }
      operands.push(arg);
      continue;
    }
    const start = arg.startsWith('--') ? 2 : 1;
    const equals = arg.indexOf('=', start);
    const name = equals < 0 ? arg.slice(start) : arg.slice(start, equals);
    const flag = findFlag(table, name);
    if (flag === undefined) {
      if (operands.length > 0) {
        operands.push(arg);
        continue;
      }
      const bad = name === '' || name.startsWith('-');
      parsed.error = usageError(bad ? `bad flag syntax: ${arg}` : `flag provided but not defined: -${name}`);
      break;
    }
    // As in Go the next argument is the value, whatever it looks like.
    const text = equals >= 0 ? arg.slice(equals + 1) : flag.type === 'boolean' ? 'true' : argv[++index];
    if (text === undefined) {
      parsed.error = usageError(`flag needs an argument: -${name}`);
      break;
    }
    const value = read(flag, name, text);
    if (value instanceof RuntsError) {
      parsed.error = value;
      break;
    }
    // Of a flag given more than once the last counts, unless it may be repeated.
    if (!flag.repeat) flags[flag.name] = value;
    else if (Array.isArray(flags[flag.name])) (flags[flag.name] as string[]).push(text);
    else flags[flag.name] = [text];
  }
  return parsed;
}

function findFlag(table: readonly FlagSpec[], name: string): FlagSpec | undefined {
  for (const flag of table) if (flag.name === name || flag.short === name) return flag;
  return undefined;
}

/** The value of a text in the flag's type, or what is wrong with it. */
function read(flag: FlagSpec, name: string, text: string): string | number | boolean | RuntsError {
  switch (flag.type) {
    case 'string':
      return text;
    case 'boolean':
      return (
        parseBool(text) ??
        usageError(`invalid boolean value ${JSON.stringify(text)} for -${name}: parse error`)
      );
    case 'number':
      return readNumber(flag, name, text);
  }
}

/** Decimal digits only: `0x10`, `1e3`, ` 5` and `5x` are mistakes, not numbers. */
function readNumber(flag: FlagSpec, name: string, text: string): number | RuntsError {
  const { min = 0, max = 0x7fff_ffff } = flag;
  const wrong = (why: string) =>
    usageError(`invalid value ${JSON.stringify(text)} for flag -${name}: ${why}`, `${min} to ${max}`);
  if (!/^-?\d+$/.test(text)) return wrong('parse error');
  const number = Number(text);
  return number >= min && number <= max ? number : wrong('value out of range');
}

/** Go's strconv.ParseBool; undefined for anything else. */
export function parseBool(text: string): boolean | undefined {
  switch (text) {
    case '1':
    case 't':
    case 'T':
    case 'TRUE':
    case 'true':
    case 'True':
      return true;
    case '0':
    case 'f':
    case 'F':
    case 'FALSE':
    case 'false':
    case 'False':
      return false;
    default:
      return undefined;
  }
}

/** Checks the number of operands; the texts are runc's. */
export function checkOperands(spec: CommandSpec, operands: readonly string[]): RuntsError | undefined {
  const { name, minOperands: min, maxOperands: max } = spec;
  if (operands.length >= min && operands.length <= max) return undefined;
  const bound =
    min === max ? `exactly ${min}` : operands.length < min ? `a minimum of ${min}` : `a maximum of ${max}`;
  // A flag after the operands that the command does not have was taken as an operand.
  const stray = operands.find((operand) => operand.length > 1 && operand.startsWith('-'));
  const hint =
    stray === undefined ? undefined : `${JSON.stringify(stray)} counts: it is no option of ${name}`;
  return usageError(`runts: "${name}" requires ${bound} argument(s)`, hint);
}

/** A mistake on the command line. */
export function usageError(message: string, hint?: string): RuntsError {
  return new RuntsError('E_USAGE', message, { hint });
}
