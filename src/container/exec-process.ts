/**
 * Which process `exec` runs: the one of --process, or the container's own with what the command line changes.
 *
 * @module
 */

import type { CommandContext } from '../cli/types.ts';
import { RuntsError } from '../errors.ts';
import { loadProcess } from '../spec/load.ts';
import type { LinuxCapabilities, Process, User } from '../spec/types.ts';
import type { ContainerState } from './state.ts';

/** (uid_t) -1 means "leave as it is" to setresuid(2): the process would stay root. */
const MAX_ID = 2 ** 32 - 2;

/** The process to run. Throws E_USAGE for flags that make no sense. */
export function execProcess(ctx: CommandContext, state: ContainerState, args: readonly string[]): Process {
  const { flags } = ctx;
  const file = flags.process;
  if (typeof file === 'string' && file !== '') return withRightsOf(state.process, loadProcess(file));
  if (args.length === 0) {
    throw new RuntsError('E_USAGE', 'process args cannot be empty', {
      hint: 'give a command after the container’s id, or --process',
    });
  }
  const own = state.process;
  const process: Process = {
    ...own,
    args: [...args],
    terminal: flags.tty === true,
    consoleSize: undefined,
    env: [...(own.env ?? []), ...list(flags.env).map(variable)],
    user: userOf(own.user ?? { uid: 0, gid: 0 }, flags.user, list(flags['additional-gids'])),
    capabilities: withCapabilities(own.capabilities, list(flags.cap)),
  };
  if (typeof flags.cwd === 'string' && flags.cwd !== '') process.cwd = absolute(flags.cwd);
  if (typeof flags.apparmor === 'string' && flags.apparmor !== '') process.apparmorProfile = flags.apparmor;
  if (typeof flags['process-label'] === 'string' && flags['process-label'] !== '') {
    process.selinuxLabel = flags['process-label'];
  }
  if (typeof flags['no-new-privs'] === 'boolean') process.noNewPrivileges = flags['no-new-privs'];
  return process;
}

/** What confines or favours the container's own process holds for a further one, unless its file says otherwise. */
const INHERITED = [
  'capabilities',
  'apparmorProfile',
  'selinuxLabel',
  'oomScoreAdj',
  'scheduler',
  'ioPriority',
  'execCPUAffinity',
] as const;

function withRightsOf(own: Process, given: Process): Process {
  const process: Process = { ...given };
  for (const field of INHERITED) {
    // An empty label is none, as everywhere.
    if ((given[field] ?? '') === '' && own[field] !== undefined)
      Object.assign(process, { [field]: own[field] });
  }
  return process;
}

/** @throws RuntsError E_USAGE for what would define nothing */
function variable(entry: string): string {
  if (entry.indexOf('=') > 0) return entry;
  throw new RuntsError('E_USAGE', `--env: ${JSON.stringify(entry)} is no NAME=VALUE`);
}

function absolute(cwd: string): string {
  if (cwd.startsWith('/')) return cwd;
  throw new RuntsError('E_USAGE', `--cwd: ${JSON.stringify(cwd)}: Cwd must be an absolute path`);
}

function list(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(String);
  return typeof value === 'string' ? [value] : [];
}

/**
 * `UID[:GID]`, both plain decimal numbers: anything else is refused, for a number that is misread as 0 is root
 * (CVE-2026-30892).
 */
export function userOf(own: User, given: unknown, additional: readonly string[]): User {
  const user: User = { ...own };
  if (additional.length > 0) {
    user.additionalGids = [
      ...(own.additionalGids ?? []),
      ...additional.map((gid) => id(gid, '--additional-gids')),
    ];
  }
  if (typeof given !== 'string' || given === '') return user;
  const [uid, gid, ...rest] = given.split(':');
  if (rest.length > 0) throw invalid(given, '--user');
  user.uid = id(uid ?? '', '--user');
  if (gid !== undefined) user.gid = id(gid, '--user');
  return user;
}

function id(text: string, flag: string): number {
  if (!/^[0-9]{1,10}$/.test(text) || Number(text) > MAX_ID) throw invalid(text, flag);
  return Number(text);
}

function invalid(text: string, flag: string): RuntsError {
  return new RuntsError('E_USAGE', `${flag}: ${JSON.stringify(text)} is no id`, {
    hint: 'ids are decimal numbers from 0 to 4294967294: UID, or UID:GID',
  });
}

/** Never the inheritable set, and so never the ambient one: programs without file capabilities would keep them (CVE-2022-29162). */
function withCapabilities(
  own: LinuxCapabilities | undefined,
  added: readonly string[],
): LinuxCapabilities | undefined {
  if (added.length === 0) return own;
  const names = added.map((name) => {
    const upper = name.toUpperCase();
    return upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  });
  const join = (set: readonly string[] | undefined): string[] => [...new Set([...(set ?? []), ...names])];
  return {
    ...own,
    bounding: join(own?.bounding),
    effective: join(own?.effective),
    permitted: join(own?.permitted),
  } as LinuxCapabilities;
}
