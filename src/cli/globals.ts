/**
 * From the parsed options before the command to what commands get.
 *
 * @module
 */

import type { LogLevel, LogOptions } from '../log.ts';
import { type Parsed, parseBool, usageError } from './parse.ts';
import { type Caller, resolveRoot } from './root.ts';
import type { GlobalOptions } from './types.ts';

/** A string flag's value. */
function text(parsed: Parsed, name: string): string | undefined {
  const value = parsed.flags[name];
  return typeof value === 'string' ? value : undefined;
}

/**
 * Where and how to log.
 *
 * The default level is `warning` for text and `error` for JSON: Podman decodes the whole JSON log of a failed command
 * as one object, so a warning before the error would lose the error's text. Who gives --log-level or --debug has asked
 * for more lines.
 *
 * @throws RuntsError E_USAGE
 */
export function logOptions(parsed: Parsed): LogOptions {
  const format = text(parsed, 'log-format') ?? 'text';
  if (format !== 'text' && format !== 'json') {
    throw usageError(`invalid log-format: ${format}`, 'text or json');
  }
  return { log: text(parsed, 'log'), logFormat: format, logLevel: logLevel(parsed, format) };
}

function logLevel(parsed: Parsed, format: 'text' | 'json'): LogLevel {
  const level = text(parsed, 'log-level') ?? (format === 'json' ? 'error' : 'warning');
  switch (level) {
    case 'debug':
    case 'info':
    case 'warning':
    case 'error':
      return parsed.flags.debug === true ? 'debug' : level;
    case 'warn':
      return parsed.flags.debug === true ? 'debug' : 'warning';
    default:
      throw usageError(`invalid log-level: ${level}`, 'debug, info, warning or error');
  }
}

/**
 * All options before the command.
 *
 * @throws RuntsError E_USAGE or E_ROOT
 */
export function globalOptions(parsed: Parsed, log: LogOptions, caller: Caller): GlobalOptions {
  const cgroupManager = manager(parsed);
  return {
    ...log,
    root: resolveRoot(text(parsed, 'root'), caller),
    rootExplicit: parsed.flags.root !== undefined,
    systemdCgroup: cgroupManager === 'systemd',
    cgroupManager,
    rootless: rootless(text(parsed, 'rootless') ?? 'auto'),
  };
}

/** `--cgroup-manager` (crun's) and `--systemd-cgroup` (runc's) say the same thing; they must agree. */
function manager(parsed: Parsed): GlobalOptions['cgroupManager'] {
  const systemd = parsed.flags['systemd-cgroup'] === true;
  const given = text(parsed, 'cgroup-manager');
  switch (given) {
    case undefined:
      return systemd ? 'systemd' : 'cgroupfs';
    case 'cgroupfs':
      if (systemd) throw usageError('--cgroup-manager cgroupfs contradicts --systemd-cgroup', 'give one');
      return given;
    case 'systemd':
    // Podman's containers without a cgroup get `disabled`, whatever else it passes.
    case 'disabled':
      return given;
    default:
      throw usageError(`invalid cgroup-manager: ${given}`, 'cgroupfs, systemd or disabled');
  }
}

function rootless(value: string): GlobalOptions['rootless'] {
  if (value === 'auto' || value === '') return 'auto';
  const truth = parseBool(value);
  if (truth === undefined) throw usageError(`invalid rootless: ${value}`, 'true, false or auto');
  return truth ? 'true' : 'false';
}
