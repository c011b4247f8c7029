/**
 * The filter of a container: from the cache or compiled, and where `exec` finds it again.
 *
 * @module
 */

import { linkSync, statSync, unlinkSync } from '#files';
import { errnoText } from '../cli/present.ts';
import { errnoOf, RuntsError } from '../errors.ts';
import { log } from '../log.ts';
import { type CompiledFilter, FILTER_NAME } from '../plan/seccomp.ts';
import type { SeccompExtensions } from '../spec/annotations.ts';
import type { LinuxSeccomp } from '../spec/types.ts';
import { cacheDirectory, lookUp, profileText, store } from './cache.ts';
import { readFilter, writeFilter } from './file.ts';

/** A filter that is ready to be loaded. */
export interface PreparedFilter {
  filter: CompiledFilter;
  /**
   * Keeps the filter in the container's state folder for `exec`, and in the cache if it isn't there.
   *
   * @throws RuntsError E_ROOT when the state folder can't be written to
   */
  save: (stateDir: string) => void;
}

/**
 * The filter that a profile means; undefined when it means none. Changes nothing on the host.
 *
 * @param root - the runtime's --root, whose cache is used
 * @param extensions - what the config's annotations say
 * @throws RuntsError E_CONFIG_INVALID with the field; E_UNSUPPORTED without libseccomp when it must be compiled
 */
export async function prepareFilter(
  profile: LinuxSeccomp,
  root: string,
  extensions: SeccompExtensions = {},
): Promise<PreparedFilter | undefined> {
  if (extensions.program !== undefined) return givenFilter(profile, extensions.program);
  const { defaultAction } = profile;
  // What some callers write for "no filter": the checks refuse it where there are rules.
  if (defaultAction === undefined) return undefined;
  if (extensions.knownCalls === true) {
    const { requireKnownCalls } = await import('./known-calls.ts');
    requireKnownCalls(profile);
  }
  const text = profileText(profile);
  const entry = lookUp(cacheDirectory(root), text);
  if (entry.filter !== undefined) {
    const { path, filter } = entry;
    return {
      filter,
      save: (stateDir) => {
        if (!linked(path, filter.inode, stateDir)) keep(stateDir, filter);
      },
    };
  }
  const { compileFilter } = await import('./compile.ts');
  const filter = compileFilter({ ...profile, defaultAction });
  const { libraryIdentity } = await import('./libseccomp.ts');
  const library = libraryIdentity();
  return {
    filter,
    save: (stateDir) => {
      keep(stateDir, filter);
      try {
        store(entry.path, text, library, filter);
      } catch (error) {
        // The next container compiles it again.
        log.debug(`cannot cache the seccomp filter: ${entry.path}: ${errnoText(error)}`);
      }
    },
  };
}

/** A filter that the caller has made, with the profile's flags and agent. */
async function givenFilter(profile: LinuxSeccomp, program: Uint8Array): Promise<PreparedFilter> {
  const { filterFlags } = await import('./flags.ts');
  const filter = { program, ...filterFlags(profile.flags, Boolean(profile.listenerPath)) };
  return { filter, save: (stateDir) => keep(stateDir, filter) };
}

/**
 * The entry of the cache under another name: no copy to write, and none in memory. False where that isn't possible, or
 * where the entry is another file by now; inode numbers of a tmpfs count up, so that the number tells.
 */
function linked(entry: string, inode: number, stateDir: string): boolean {
  const path = `${stateDir}/${FILTER_NAME}`;
  try {
    linkSync(entry, path);
    if (statSync(path).ino === inode) return true;
    unlinkSync(path);
  } catch {
    // another file system, or one without links
  }
  return false;
}

function keep(stateDir: string, filter: CompiledFilter): void {
  const path = `${stateDir}/${FILTER_NAME}`;
  try {
    writeFilter(path, filter);
  } catch (error) {
    throw new RuntsError('E_ROOT', `cannot keep the seccomp filter: write ${path}: ${errnoText(error)}`, {
      syscall: 'write',
      errno: errnoOf(error),
      cause: error,
    });
  }
}

/**
 * The filter that a container was created with.
 *
 * @param id - for the message
 * @throws RuntsError E_STATE_CORRUPT: a process without its container's filter must not start
 */
export function savedFilter(stateDir: string, id: string): CompiledFilter {
  const path = `${stateDir}/${FILTER_NAME}`;
  let reason = 'it is damaged, or others may write to it';
  let cause: unknown;
  try {
    const filter = readFilter(path);
    if (filter !== undefined) return filter;
  } catch (error) {
    reason = errnoText(error);
    cause = error;
  }
  throw new RuntsError(
    'E_STATE_CORRUPT',
    `the seccomp filter of container ${id} is unusable: ${path}: ${reason}`,
    {
      errno: errnoOf(cause),
      hint: 'create the container again',
      cause,
    },
  );
}
