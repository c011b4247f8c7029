/**
 * The program: from an argument list to an exit code.
 *
 * @module
 */

import { RuntsError } from '../errors.ts';
import { configureLog, logError, logTo, serviceOf } from '../log.ts';
import { globalOptions, logOptions } from './globals.ts';
import { LOADERS } from './loaders.ts';
import { print } from './output.ts';
import { checkOperands, type Parsed, parseFlags } from './parse.ts';
import { present } from './present.ts';
import { thisCaller } from './root.ts';
import { findCommand, GLOBAL_FLAGS, HELP_FLAG } from './tables/index.ts';
import type { CommandSpec } from './types.ts';

/** runc's exit code for a command that it does not have. */
const UNKNOWN_COMMAND = 3;

/**
 * Runs one command line.
 *
 * @param argv the arguments without the program's name
 * @returns the exit code; every failure has been told
 */
export async function main(argv: readonly string[]): Promise<number> {
  let spec: CommandSpec | undefined;
  try {
    const globals = parseFlags(GLOBAL_FLAGS, argv, 'first-operand');
    if (globals.error !== undefined) return await globalMisuse(globals);
    if (globals.flags.help === true) return await showHelp();
    if (globals.flags.version === true) return await showVersion();

    const [name, ...rest] = globals.operands;
    if (name === undefined) return await showHelp();
    spec = findCommand(name);
    if (spec?.name === 'help') return await help(spec, rest);

    // First of all the log, so that it also gets what is wrong with the rest of the command line.
    const log = logOptions(globals);
    configureLog(log);
    const service = serviceOf(log.log);
    if (service !== undefined) logTo((await import('../log-service.ts')).openService(...service));
    if (spec === undefined) throw unknownCommand(name);
    const parsed = parseCommand(spec, rest);
    if (parsed.flags.help === true) return await showHelp(spec);
    const error = parsed.error ?? checkOperands(spec, parsed.operands);
    if (error !== undefined) return await misuse(error, spec);

    const global = globalOptions(globals, log, thisCaller());
    const load = LOADERS[spec.name] as (typeof LOADERS)[string];
    const { run } = await load();
    return await run({ global, flags: parsed.flags, operands: parsed.operands });
  } catch (error) {
    return fail(error, spec);
  }
}

/** Tells a failure and gives its exit code. */
export function fail(error: unknown, spec?: CommandSpec): number {
  logError(error);
  return present(error).exitCode ?? spec?.failureExitCode ?? 1;
}

function parseCommand(spec: CommandSpec, argv: readonly string[]): Parsed {
  return parseFlags([...spec.flags, HELP_FLAG], argv, spec.flagsFirst ? 'first-operand' : 'known');
}

async function help(spec: CommandSpec, argv: readonly string[]): Promise<number> {
  const { flags, operands, error } = parseCommand(spec, argv);
  const wrong = error ?? checkOperands(spec, operands);
  if (wrong !== undefined && flags.help !== true) return misuse(wrong, spec);
  const [name] = operands;
  if (name === undefined || flags.help === true) return showHelp();
  const topic = findCommand(name);
  if (topic === undefined) throw unknownCommand(name);
  return showHelp(topic);
}

async function showHelp(spec?: CommandSpec): Promise<number> {
  const { commandHelp, programHelp } = await import('./help.ts');
  print(spec === undefined ? programHelp() : commandHelp(spec));
  return 0;
}

async function showVersion(): Promise<number> {
  const { versionText } = await import('../version.ts');
  print(versionText());
  return 0;
}

/** A mistake before the command: the log is set up as far as it was given, then as for any other. */
async function globalMisuse(globals: Parsed): Promise<number> {
  try {
    configureLog(logOptions(globals));
  } catch {
    // The first mistake is the one to tell; it goes to stderr.
  }
  return misuse(globals.error as RuntsError);
}

/** A mistake on the command line: the help goes to stdout, the error to stderr and the log, as with runc. */
async function misuse(error: RuntsError, spec?: CommandSpec): Promise<number> {
  const { commandHelp, programHelp } = await import('./help.ts');
  // Of a wrong number of operands runc's heading says no more than that.
  const heading = error.message.startsWith('runts: ')
    ? 'Incorrect Usage.'
    : `Incorrect Usage: ${error.message}`;
  print(`${heading}\n\n${spec === undefined ? programHelp() : commandHelp(spec)}`);
  return fail(error);
}

function unknownCommand(name: string): RuntsError {
  return new RuntsError('E_USAGE', `No help topic for '${name}'`, {
    exitCode: UNKNOWN_COMMAND,
    hint: 'there is no such command; "runts --help" lists them',
  });
}
