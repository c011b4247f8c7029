/**
 * The shape of a command's table. Parsing, `--help`, completions and man pages all come from it.
 *
 * @module
 */

/** One flag. `boolean` takes no value unless `--flag=true|false`; the others take one. */
export interface FlagSpec {
  /** Long name without dashes, e.g. `pid-file`. */
  name: string;
  /** One-letter alias without dash. */
  short?: string;
  type: 'boolean' | 'string' | 'number';
  /** One line, lower case, no final stop. */
  help: string;
  /** Placeholder of the value in help, e.g. `PATH`. */
  value?: string;
  default?: string | number | boolean;
  /** The values that it can have, for completion; the command itself checks them. */
  choices?: readonly string[];
  /** Least and greatest value of a number; 0 and 2^31-1 when absent. */
  min?: number;
  max?: number;
  /** Accepted and parsed, left out of `--help`. */
  hidden?: boolean;
  /** May be given several times; the value is then a list. */
  repeat?: boolean;
}

/** One command. */
export interface CommandSpec {
  name: string;
  /** Other names that reach the command. */
  aliases?: readonly string[];
  /** One line for the list of commands. */
  summary: string;
  /** Operands as shown in usage, e.g. `CONTAINER-ID [SIGNAL]`. */
  operands: string;
  /** Least and greatest number of operands. */
  minOperands: number;
  maxOperands: number;
  /** Longer text for `--help` and the man page. */
  description: string;
  flags: readonly FlagSpec[];
  /**
   * The first operand ends the flags, because what follows belongs to another program (`exec ID ls -a`).
   * Without it a known flag is also taken after the operands (`delete ID --force`), as runc does.
   */
  flagsFirst?: boolean;
  /** Exit code of a failure of the runtime itself (1; 255 for exec). */
  failureExitCode?: number;
  /** Whose exit status the command has when runts does not fail; 0 without. */
  exitsAs?: string;
  hidden?: boolean;
}

export type FlagValue = string | number | boolean | string[] | undefined;

/** Options before the command. */
export interface GlobalOptions {
  /** State folder, absolute. */
  root: string;
  /** True when --root was given rather than defaulted. */
  rootExplicit: boolean;
  log?: string;
  logFormat: 'text' | 'json';
  logLevel: 'debug' | 'info' | 'warning' | 'error';
  systemdCgroup: boolean;
  cgroupManager: 'cgroupfs' | 'systemd' | 'disabled';
  rootless: 'auto' | 'true' | 'false';
}

/** What a command's `run` gets. */
export interface CommandContext {
  global: GlobalOptions;
  /** Values by long name; a flag that was not given and has no default is absent. */
  flags: Readonly<Record<string, FlagValue>>;
  operands: readonly string[];
}

/** A command's module: src/commands/NAME.ts exports `run`; resolves to the exit code. */
export type CommandRun = (ctx: CommandContext) => Promise<number> | number;
