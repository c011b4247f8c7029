/**
 * Compiled filters by profile, in `<root>/.cache/seccomp`: compiling Docker's default profile takes many times as long
 * as all the rest of a container's start.
 *
 * An entry is found by a cheap hash of the profile's text, of which only some characters are looked at; it counts when
 * the text that is stored with it is the same in full, and when it was compiled by the libseccomp that is installed now.
 *
 * @module
 */

import { mkdirSync, readdirSync, statSync, unlinkSync } from '#files';
import { errnoOf } from '../errors.ts';
import type { CompiledFilter } from '../plan/seccomp.ts';
import { seccompArgValue } from '../spec/integers.ts';
import type { LinuxSeccomp } from '../spec/types.ts';
import { readFilter, type StoredFilter, writeFilter } from './file.ts';

/** Most entries; a host has a handful of profiles, each in a few variants by capabilities. */
const CAPACITY = 64;

/** How many profiles with the same hash have a place each. */
const PLACES = 4;

/** How many characters of a text make its hash. */
const SAMPLES = 32;

/** Where a profile's filter is, or belongs. */
export interface CacheEntry {
  path: string;
  filter?: StoredFilter;
}

/** The folder below the runtime's root. */
export function cacheDirectory(root: string): string {
  return `${root}/.cache/seccomp`;
}

/** What tells profiles apart: their JSON, the machine, and the digits that JSON numbers can't hold. */
export function profileText(profile: LinuxSeccomp): string {
  let digits = '';
  for (const { args } of profile.syscalls ?? []) {
    for (const arg of args ?? []) {
      if (arg.value <= Number.MAX_SAFE_INTEGER && (arg.valueTwo ?? 0) <= Number.MAX_SAFE_INTEGER) continue;
      digits += ` ${seccompArgValue(arg, 'value')} ${seccompArgValue(arg, 'valueTwo')}`;
    }
  }
  return `${process.arch} ${JSON.stringify(profile)}${digits}`;
}

/** Size, time of change and path of a file, in one line; empty when there is none. */
export function fileIdentity(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.size} ${stat.mtimeMs} ${path}`;
}

function isUnchanged(identity: string): boolean {
  const path = identity.slice(identity.indexOf('/'));
  return identity !== '' && fileIdentity(path) === identity;
}

/** Looks a profile up. Never throws: what can't be read is compiled again. */
export function lookUp(directory: string, text: string): CacheEntry {
  const hash = sampledHash(text);
  for (let place = 0; place < PLACES; place++) {
    const path = `${directory}/${hash}-${place}`;
    let stored: StoredFilter | undefined;
    try {
      stored = readFilter(path);
    } catch {
      return { path };
    }
    if (stored === undefined) return { path };
    const line = stored.text.indexOf('\n');
    if (stored.text.slice(line + 1) !== text) continue;
    return isUnchanged(stored.text.slice(0, line)) ? { path, filter: stored } : { path };
  }
  return { path: `${directory}/${hash}-0` };
}

/**
 * Stores a filter where {@link lookUp} said.
 *
 * @param library - {@link fileIdentity} of the libseccomp that it was compiled with
 * @throws Error of node:fs
 */
export function store(path: string, text: string, library: string, filter: CompiledFilter): void {
  const directory = path.slice(0, path.lastIndexOf('/'));
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  makeRoom(directory);
  writeFilter(path, filter, `${library}\n${text}`);
}

function makeRoom(directory: string): void {
  const names = readdirSync(directory);
  if (names.length < CAPACITY) return;
  const byAge = names
    .map((name) => ({
      path: `${directory}/${name}`,
      age: statSync(`${directory}/${name}`, { throwIfNoEntry: false }),
    }))
    .sort((a, b) => (a.age?.mtimeMs ?? 0) - (b.age?.mtimeMs ?? 0));
  for (const { path } of byAge.slice(0, names.length - CAPACITY / 2)) {
    try {
      unlinkSync(path);
    } catch (error) {
      // Another runtime process makes room too.
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }
}

function sampledHash(text: string): string {
  const step = Math.max(1, Math.floor(text.length / SAMPLES));
  let hash = text.length;
  for (let at = 0; at < text.length; at += step) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) | 0;
  return (hash >>> 0).toString(16).padStart(8, '0');
}
