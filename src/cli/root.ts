/**
 * The state folder: where it is, and making it.
 *
 * @module
 */

import { chmodSync, mkdirSync, readFileSync, statSync } from '#files';
import { errnoOf, RuntsError } from '../errors.ts';
import { dirname, isAbsolute, resolve } from '../paths.ts';
import { errnoText } from './present.ts';
import { SYSTEM_ROOT } from './tables/index.ts';
import type { GlobalOptions } from './types.ts';

/** Who is asking; a parameter so that tests can be anybody. */
export interface Caller {
  euid: number;
  env: Readonly<Record<string, string | undefined>>;
  /** Whether this is a user namespace in which the root of the host does not appear as 0. */
  inUserNamespace: () => boolean;
}

/** This process. */
export function thisCaller(): Caller {
  return { euid: process.geteuid?.() ?? 0, env: process.env, inUserNamespace };
}

/** The initial user namespace maps everything onto itself (user_namespaces(7)). */
function inUserNamespace(): boolean {
  try {
    return !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'latin1'));
  } catch {
    // A kernel without user namespaces, or no /proc.
    return false;
  }
}

/**
 * The state folder when `--root` isn't given: /run/runts, or $XDG_RUNTIME_DIR/runts for whoever isn't the host's root.
 * Root in a user namespace counts as an ordinary user too, unless $USER says root (`sudo unshare`), as with runc.
 * Without a usable XDG_RUNTIME_DIR an ordinary user gets /run/user/UID/runts, where systemd would have put it.
 */
export function defaultRoot(caller: Caller): string {
  const { euid, env } = caller;
  const runtimeDir = env.XDG_RUNTIME_DIR;
  // The XDG base directory specification: a relative path is invalid and to be ignored.
  const usable = runtimeDir !== undefined && isAbsolute(runtimeDir);
  if (euid !== 0) return resolve(usable ? runtimeDir : `/run/user/${euid}`, 'runts');
  if (usable && env.USER !== 'root' && caller.inUserNamespace()) return resolve(runtimeDir, 'runts');
  return SYSTEM_ROOT;
}

/**
 * The absolute state folder for a `--root` value.
 *
 * @throws RuntsError E_ROOT for an empty value and for `/`
 */
export function resolveRoot(given: string | undefined, caller: Caller): string {
  if (given === undefined) return defaultRoot(caller);
  if (given === '') {
    throw new RuntsError('E_ROOT', 'Option --root argument should not be empty', {
      hint: 'give a directory, or leave --root out',
    });
  }
  const root = resolve(given);
  if (root === '/') throw new RuntsError('E_ROOT', 'Option --root argument should not be set to /');
  return root;
}

/**
 * Makes the state folder, if need be with its parents, mode 0700.
 *
 * A default folder below XDG_RUNTIME_DIR gets the sticky bit as well: the XDG base directory specification lets
 * a cleaner remove what has not been touched for six hours, unless it is sticky.
 *
 * @throws RuntsError E_ROOT
 */
export function ensureRoot(global: Pick<GlobalOptions, 'root' | 'rootExplicit'>): void {
  const { root, rootExplicit } = global;
  const perUser = !rootExplicit && root !== SYSTEM_ROOT;
  try {
    makeDirectories(root);
    if (perUser && (statSync(root).mode & 0o1000) === 0) chmodSync(root, 0o1700);
  } catch (error) {
    const errno = errnoOf(error);
    // mkdir -p says EEXIST when the last component is there and no directory, ENOTDIR for one before it.
    const reason = errno === 'EEXIST' ? 'not a directory' : errnoText(error);
    const hint = perUser
      ? 'set XDG_RUNTIME_DIR to a directory that you can write to, or give --root'
      : 'give a --root that can be written to';
    throw new RuntsError('E_ROOT', `cannot create the state directory ${root}: mkdir: ${reason}`, {
      syscall: 'mkdir',
      errno,
      hint,
      cause: error,
    });
  }
}

/**
 * mkdir -p with mode 0700. Not mkdirSync's `recursive`: Node never returns from it where a file system refuses new
 * entries with ENOENT, as procfs does.
 */
function makeDirectories(path: string): void {
  try {
    mkdirSync(path, 0o700);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EEXIST' && statSync(path).isDirectory()) return;
    const parent = dirname(path);
    if (errno !== 'ENOENT' || parent === path || statSync(parent, { throwIfNoEntry: false }) !== undefined)
      throw error;
    makeDirectories(parent);
    makeDirectories(path);
  }
}
