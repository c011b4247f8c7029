/**
 * Options before the command.
 *
 * @module
 */

import type { FlagSpec } from '../types.ts';

/** Where a system-wide runts keeps its state. */
export const SYSTEM_ROOT = '/run/runts';

/** Every command has it; it isn't in the commands' own tables. */
export const HELP_FLAG: FlagSpec = { name: 'help', short: 'h', type: 'boolean', help: 'show help' };

/** Options before the command. */
export const GLOBAL_FLAGS: readonly FlagSpec[] = [
  {
    name: 'root',
    type: 'string',
    value: 'DIR',
    help: `directory for the containers' state, on tmpfs (default: ${SYSTEM_ROOT}, or $XDG_RUNTIME_DIR/runts for an ordinary user)`,
  },
  {
    name: 'log',
    type: 'string',
    value: 'FILE',
    help: 'append log lines to this file instead of stderr, or send them to journald:ID or syslog:ID; what makes a command fail is told on stderr too',
  },
  {
    name: 'log-format',
    type: 'string',
    value: 'FORMAT',
    default: 'text',
    choices: ['text', 'json'],
    help: 'format of log lines: text or json',
  },
  {
    name: 'log-level',
    type: 'string',
    value: 'LEVEL',
    choices: ['debug', 'info', 'warning', 'error'],
    help: 'least level to log: debug, info, warning or error (default: warning, or error with --log-format json)',
  },
  { name: 'debug', type: 'boolean', help: 'the same as --log-level debug' },
  {
    name: 'systemd-cgroup',
    type: 'boolean',
    help: 'let systemd manage cgroups; cgroupsPath is then slice:prefix:name, e.g. system.slice:runts:web',
  },
  {
    name: 'cgroup-manager',
    type: 'string',
    value: 'MANAGER',
    choices: ['cgroupfs', 'systemd', 'disabled'],
    help: 'who manages cgroups: cgroupfs, systemd or disabled (default: cgroupfs)',
  },
  {
    name: 'rootless',
    type: 'string',
    value: 'BOOL',
    choices: ['true', 'false', 'auto'],
    default: 'auto',
    help: 'ignore missing permissions for cgroups: true, false or auto',
  },
  HELP_FLAG,
  { name: 'version', short: 'v', type: 'boolean', help: 'print the version' },
];
