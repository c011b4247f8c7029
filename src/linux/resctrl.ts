/**
 * `linux.intelRdt`: the container's class of service and monitoring group in the resctrl file system.
 *
 * A class (CLOS) is a folder: its `schemata` says which parts of the caches and how much memory bandwidth the processes
 * in its `tasks` get. A monitoring group is a folder in a class's `mon_groups`.
 *
 * @see runtime-spec config-linux.md, "IntelRdt"; Linux Documentation/filesystems/resctrl.rst
 * @module
 */

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from '#files';
import { errnoOf, RuntsError } from '../errors.ts';
import type { LinuxIntelRdt } from '../spec/types.ts';

const FIELD = 'linux.intelRdt';
/** `closID` of the class that every process is in at first: the root of the file system. */
const DEFAULT_CLASS = '/';

/** Where a container's processes are, as the state remembers it. */
export interface ResctrlState {
  /** Where resctrl is mounted. */
  root: string;
  /** Folder of the class. */
  group: string;
  /** Folder of the monitoring group, if it has one of its own. */
  monitor?: string;
  /** The class was made for this container and goes with it. One that the config names belongs to somebody else. */
  own: boolean;
}

/**
 * Where resctrl is mounted.
 *
 * @param mountinfo - text of /proc/self/mountinfo
 * @throws RuntsError E_UNSUPPORTED
 */
export function resctrlRoot(mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')): string {
  for (const line of mountinfo.split('\n')) {
    if (line.split(' - ')[1]?.startsWith('resctrl ')) return line.split(' ')[4] ?? '';
  }
  throw new RuntsError('E_UNSUPPORTED', `${FIELD}: no resctrl file system is mounted`, {
    field: FIELD,
    hint: 'mount -t resctrl resctrl /sys/fs/resctrl, on a machine with Intel RDT or AMD QoS',
  });
}

/** The folders of a container. */
export function resctrlState(root: string, id: string, rdt: LinuxIntelRdt): ResctrlState {
  const closID = rdt.closID || id;
  const group = closID === DEFAULT_CLASS ? root : `${root}/${closID}`;
  return {
    root,
    group,
    monitor: rdt.enableMonitoring === true ? `${group}/mon_groups/${id}` : undefined,
    own: !rdt.closID,
  };
}

/**
 * Makes what is missing, and puts a process in.
 *
 * @throws RuntsError E_INIT when a class that must exist doesn't, or is set otherwise than the config says; and for what
 *   the kernel refuses, with its reason
 */
export function applyResctrl(state: ResctrlState, rdt: LinuxIntelRdt, pid: number): void {
  const { root, group, monitor } = state;
  const { l3CacheSchema = '', memBwSchema = '', schemata = [] } = rdt;
  const lines = schemaLines(l3CacheSchema, memBwSchema);
  const existed = existsSync(group);
  if (!existed && !state.own && lines.length === 0 && schemata.length === 0) {
    throw new RuntsError(
      'E_INIT',
      `${FIELD}.closID: clos dir not accessible (must be pre-created when l3CacheSchema, memBwSchema and schemata are empty): ${group}`,
      { field: `${FIELD}.closID`, errno: 'ENOENT' },
    );
  }
  if (!existed) attempt(root, `${FIELD}.closID`, `mkdir ${group}`, () => mkdirSync(group, 0o755));
  const schemataFile = `${group}/schemata`;
  if (existed && !state.own) compare(schemataFile, lines);
  else if (lines.length > 0) writeLines(root, `${FIELD}.l3CacheSchema`, schemataFile, lines);
  // Last, so that it has the last word.
  if (schemata.length > 0) writeLines(root, `${FIELD}.schemata`, schemataFile, schemata);
  if (monitor !== undefined && !existsSync(monitor)) {
    attempt(root, `${FIELD}.enableMonitoring`, `mkdir ${monitor}`, () => mkdirSync(monitor, 0o755));
  }
  joinResctrl(state, pid);
}

/** Puts a process of `exec` where the container is: a child begins in its parent's class, which is the runtime's. */
export function joinResctrl({ root, group, monitor }: ResctrlState, pid: number): void {
  for (const folder of monitor === undefined ? [group] : [group, monitor]) {
    attempt(root, FIELD, `write ${folder}/tasks`, () => writeFileSync(`${folder}/tasks`, String(pid)));
  }
}

/**
 * Removes the container's own folders; its processes are gone. Those that are missing are fine.
 *
 * @param remove - of one folder: in resctrl rmdir(2) takes the kernel's files with it
 */
export function removeResctrl(
  { group, monitor, own }: ResctrlState,
  remove: (folder: string) => void = rmdirSync,
): void {
  for (const folder of [monitor, own ? group : undefined]) {
    if (folder === undefined) continue;
    try {
      remove(folder);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw failure(FIELD, `rmdir ${folder}`, '', error);
    }
  }
}

/** Both schemas as lines. The bandwidth is memBwSchema's alone: such lines of l3CacheSchema don't count. */
function schemaLines(l3CacheSchema: string, memBwSchema: string): string[] {
  const cache = l3CacheSchema.split('\n').filter((line) => !line.trim().startsWith('MB:'));
  return [...cache, memBwSchema].filter((line) => line.trim() !== '');
}

/** `L3:0=7f0;1=1f` as a resource and its values by domain. Masks are compared as numbers. */
function parseSchema(line: string): { resource: string; values: Map<string, string> } {
  const colon = line.indexOf(':');
  const resource = line.slice(0, colon).trim();
  const values = new Map<string, string>();
  for (const token of line.slice(colon + 1).split(';')) {
    const [domain = '', value = ''] = token.split('=').map((part) => part.trim());
    if (domain === '') continue;
    values.set(domain, resource === 'MB' ? value : value.replace(/^0+(?=.)/, '').toLowerCase());
  }
  return { resource, values };
}

/** What the config says must hold in a class that others may be in as well; it isn't changed. */
function compare(file: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  const inForce = readFileSync(file, 'utf8').split('\n').filter(Boolean).map(parseSchema);
  for (const line of lines) {
    const { resource, values } = parseSchema(line);
    const other = inForce.find((schema) => schema.resource === resource);
    if (other !== undefined && [...values].every(([domain, value]) => other.values.get(domain) === value))
      continue;
    const field = `${FIELD}.${resource === 'MB' ? 'memBwSchema' : 'l3CacheSchema'}`;
    throw new RuntsError('E_INIT', `${field}: ${JSON.stringify(line)} is not what ${file} has`, {
      field,
      hint: 'the class exists and is shared: change it, or name another with closID',
    });
  }
}

function writeLines(root: string, field: string, file: string, lines: readonly string[]): void {
  // The kernel refuses a write that doesn't end with a line break.
  attempt(root, field, `write ${file}`, () => writeFileSync(file, `${lines.join('\n')}\n`));
}

function attempt(root: string, field: string, what: string, run: () => void): void {
  try {
    run();
  } catch (error) {
    throw failure(field, what, lastCommandStatus(root), error);
  }
}

const HINTS: Readonly<Record<string, string>> = {
  ENOSPC: 'all classes or monitoring groups of the machine are taken: see num_closids and num_rmids in info',
  EPERM: 'this machine can’t monitor, or the runtime isn’t root',
};

function failure(field: string, what: string, reason: string, error: unknown): RuntsError {
  const errno = errnoOf(error);
  const detail = reason === '' || reason === 'ok' ? '' : `: ${reason}`;
  return new RuntsError('E_INIT', `${field}: ${what}: ${errno ?? error}${detail}`, {
    field,
    errno,
    hint: errno === undefined ? undefined : HINTS[errno],
    cause: error,
  });
}

/** Why the kernel refused the last change. */
function lastCommandStatus(root: string): string {
  try {
    return readFileSync(`${root}/info/last_cmd_status`, 'utf8').trim();
  } catch {
    return '';
  }
}
