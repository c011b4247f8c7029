/**
 * Parsing of flags: Go's rules in front of minimist.
 *
 * Callers write flags as Go's flag package reads them (go-runc passes `-no-subreaper`), which minimist takes for a
 * heap of one-letter flags; it also reads `--no-pivot` as `pivot: false` and an id `1e3` as the number 1000. So
 * `scan` follows Go's rules by the command's table and writes each flag as `--name=value`, the one form that
 * minimist reads without guessing, and minimist collects the values. Operands never reach it.
 *
 * @module
 */

import minimist from 'minimist';
import { RuntsError } from '../errors.ts';
import type { CommandSpec, FlagSpec, FlagValue } from './types.ts';

/** What an argument list says. */
export interface Parsed {
  /** Values by long name; absent when neither given nor defaulted. */
  flags: Record<string, FlagValue>;
  /** The flags that were given, by long name. */
  given: ReadonlySet<string>;
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
  const scanned = scan(table, argv, end);
  const given = new Set(scanned.flags.map(([flag]) => flag.name));
  const values = given.size === 0 ? {} : read(table, scanned.flags);
  const flags: Record<string, FlagValue> = {};
  for (const flag of table) {
    const value = given.has(flag.name) ? collect(flag, values[flag.name]) : flag.default;
    if (value !== undefined) flags[flag.name] = value;
  }
  return { flags, given, operands: scanned.operands, error: scanned.error };
}

/** minimist's reading of the flags. Its first call costs half a millisecond: not made for nothing. */
function read(table: readonly FlagSpec[], flags: Scanned['flags']): Record<string, unknown> {
  return minimist(
    flags.map(([flag, value]) => `--${flag.name}=${value}`),
    {
      string: table.filter((flag) => flag.type !== 'boolean').map((flag) => flag.name),
      boolean: table.filter((flag) => flag.type === 'boolean').map((flag) => flag.name),
    },
  );
}

/** The value in its type. Of a flag given more than once the last counts, unless it may be repeated. */
function collect(flag: FlagSpec, value: unknown): FlagValue {
  const list = (Array.isArray(value) ? value : [value]) as (string | boolean)[];
  if (flag.repeat) return list.map(String);
  const last = list.at(-1);
  return flag.type === 'number' ? Number(last) : last;
}

interface Scanned {
  flags: [FlagSpec, string][];
  operands: string[];
  error?: RuntsError;
}

function scan(table: readonly FlagSpec[], argv: readonly string[], end: FlagsEnd): Scanned {
  const flags: [FlagSpec, string][] = [];
  const operands: string[] = [];
  const fail = (message: string): Scanned => ({ flags, operands, error: usageError(message) });

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
    const [, name = '', assigned] = /^--?([^=]*)(?:=(.*))?$/s.exec(arg) ?? [];
    const flag = table.find((candidate) => candidate.name === name || candidate.short === name);
    if (flag === undefined) {
      if (operands.length > 0) {
        operands.push(arg);
        continue;
      }
      if (name === '' || name.startsWith('-')) return fail(`bad flag syntax: ${arg}`);
      return fail(`flag provided but not defined: -${name}`);
    }
    let value = assigned;
    if (value === undefined && flag.type === 'boolean') value = 'true';
    // As in Go the next argument is the value, whatever it looks like.
    value ??= argv[++index];
    if (value === undefined) return fail(`flag needs an argument: -${name}`);
    const checked = check(flag, name, value);
    if (checked instanceof RuntsError) return { flags, operands, error: checked };
    flags.push([flag, checked]);
  }
  return { flags, operands };
}

/** Checks a value and gives its canonical text. */
function check(flag: FlagSpec, name: string, value: string): string | RuntsError {
  if (flag.type === 'boolean') {
    const truth = parseBool(value);
    if (truth !== undefined) return String(truth);
    return usageError(`invalid boolean value ${JSON.stringify(value)} for -${name}: parse error`);
  }
  if (flag.type === 'number') return checkNumber(flag, name, value);
  return value;
}

/** Decimal digits only: `0x10`, `1e3`, ` 5` and `5x` are mistakes, not numbers. */
function checkNumber(flag: FlagSpec, name: string, value: string): string | RuntsError {
  const { min = 0, max = 2 ** 31 - 1 } = flag;
  const wrong = (why: string) =>
    usageError(`invalid value ${JSON.stringify(value)} for flag -${name}: ${why}`, `${min} to ${max}`);
  if (!/^-?\d+$/.test(value)) return wrong('parse error');
  const number = Number(value);
  return number >= min && number <= max ? String(number) : wrong('value out of range');
}

/** Go's strconv.ParseBool; undefined for anything else. */
export function parseBool(text: string): boolean | undefined {
  if (/^(1|t|T|TRUE|true|True)$/.test(text)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(text)) return false;
  return undefined;
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
