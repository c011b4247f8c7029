/**
 * The log: where errors, warnings and debug lines go.
 *
 * The format is logrus's, because containerd, Podman and CRI-O parse it: JSON lines `{level,msg,time}` (plus our
 * `code` of an error), or text `time="..." level=error msg="..."`. Without `--log` lines go to stderr; with it they go
 * to the file, and an error is also written plain to stderr, which is what conmon reads.
 *
 * @module
 */

import { constants, fstatSync, openSync } from '#files';
import { printError, writeAll } from './cli/output.ts';
import { errnoText, present } from './cli/present.ts';
import type { GlobalOptions } from './cli/types.ts';
import { errnoOf, RuntsError } from './errors.ts';
import type { Sink } from './log-service.ts';

export type LogLevel = GlobalOptions['logLevel'];

/** The part of the global options that the log needs. */
export type LogOptions = Pick<GlobalOptions, 'log' | 'logFormat' | 'logLevel'>;

/** A line's text, or a function that makes it when the level is enabled. */
export type LogText = string | (() => string);

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warning: 2, error: 3 };

const STDERR = 2;
let fd = STDERR;
let format: LogOptions['logFormat'] = 'text';
let threshold = RANK.warning;
let sink: Sink | undefined;

/**
 * Sets where and how to log, and opens the log file.
 *
 * The file is opened at once rather than at the first line: one system call, and a wrong `--log` is told before
 * anything has been done, not when the error that it should have held is lost. The descriptor is close-on-exec
 * (both engines add O_CLOEXEC to every open).
 *
 * A log service is connected later, by {@link logTo}; until then lines go to stderr.
 *
 * @throws RuntsError E_SYSCALL when the file can't be opened
 */
export function configureLog(options: LogOptions): void {
  format = options.logFormat;
  threshold = RANK[options.logLevel];
  fd = openLog(options.log);
}

function openLog(target: string | undefined): number {
  if (target === undefined || target === '' || target === '/dev/stderr') return STDERR;
  if (serviceOf(target) !== undefined) return STDERR;
  const path = target.startsWith('file:') ? target.slice('file:'.length) : target;
  try {
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOCTTY;
    return openSync(path, flags, 0o644);
  } catch (error) {
    throw new RuntsError('E_SYSCALL', `--log: open ${path}: ${errnoText(error)}`, {
      syscall: 'open',
      errno: errnoOf(error),
      cause: error,
    });
  }
}

/** Of `--log journald:ID` or `syslog:ID` the two parts; undefined for a file. */
export function serviceOf(target: string | undefined): ['journald' | 'syslog', string] | undefined {
  const [, service, id = ''] = /^(journald|syslog):(.*)$/s.exec(target ?? '') ?? [];
  return service === 'journald' || service === 'syslog' ? [service, id] : undefined;
}

/** Lines go to a log service from now on; log-service.ts, which is only loaded for that. */
export function logTo(service: Sink): void {
  sink = service;
}

/** Lines for people and callers; nothing of them is a command's result. */
export const log = {
  debug: (text: LogText): void => line('debug', text),
  info: (text: LogText): void => line('info', text),
  warn: (text: LogText): void => line('warning', text),
};

/**
 * Logs a failure: one line at level error, and plain on stderr when the log is a file. The stack is a debug line.
 */
export function logError(error: unknown): void {
  const { code, message, stack } = present(error);
  if (stack !== undefined) log.debug(stack);
  write('error', message, code);
  if (fd !== STDERR || sink !== undefined) printError(`${printable(message)}\n`);
}

function line(level: LogLevel, text: LogText): void {
  if (RANK[level] >= threshold) write(level, typeof text === 'string' ? text : text());
}

function write(level: LogLevel, msg: string, code?: string): void {
  try {
    if (sink !== undefined) sink(level, msg, code);
    else writeAll(fd, format === 'json' ? jsonLine(level, msg, code) : textLine(level, msg));
  } catch {
    // A full disk must not turn a command that works into one that fails.
  }
}

/** RFC 3339 in UTC without fractions: containerd drops a line whose time it can't parse. */
function timestamp(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}

function jsonLine(level: LogLevel, msg: string, code?: string): string {
  return `${JSON.stringify({ level, msg, time: timestamp(), code })}\n`;
}

const COLOUR: Readonly<Record<LogLevel, number>> = { debug: 37, info: 36, warning: 33, error: 31 };

function textLine(level: LogLevel, msg: string): string {
  if (fd === STDERR && isTerminal(STDERR)) {
    const name = level.slice(0, 4).toUpperCase();
    const label = process.env.NO_COLOR ? name : `\x1b[${COLOUR[level]}m${name}\x1b[0m`;
    const seconds = String(Math.floor(process.uptime())).padStart(4, '0');
    return `${label}[${seconds}] ${printable(msg)}\n`;
  }
  return `time="${timestamp()}" level=${level} msg=${quote(msg)}\n`;
}

/** logrus's rule: a value of these characters alone stands without quotes. */
function quote(text: string): string {
  return /^[A-Za-z0-9\-._/@^+]+$/.test(text) ? text : `"${escapeControls(text.replace(/["\\]/g, '\\$&'))}"`;
}

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escapeControls(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, (char) => NAMED[char] ?? hex(char));
}

function hex(char: string): string {
  const number = char.charCodeAt(0).toString(16);
  return number.length > 2 ? `\\u${number.padStart(4, '0')}` : `\\x${number.padStart(2, '0')}`;
}

/**
 * Text that is safe on a terminal: a path or a value from somebody's config.json may hold escape sequences.
 * Line breaks stay, for lists of violations.
 */
function printable(text: string): string {
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, hex);
}

/**
 * Whether a descriptor is a terminal, by its device number (Documentation/admin-guide/devices.txt). isatty(3) is only
 * to be had with node:tty, which loads node:net; a wrong guess costs nothing but the colour.
 */
function isTerminal(descriptor: number): boolean {
  try {
    const stat = fstatSync(descriptor);
    // Linux dev_t: the major number's low 12 bits are bits 8 to 19.
    const major = (stat.rdev >> 8) & 0xfff;
    const terminals =
      major === 4 || major === 5 || (major >= 136 && major <= 143) || major === 204 || major === 229;
    return stat.isCharacterDevice() && terminals;
  } catch {
    return false;
  }
}
