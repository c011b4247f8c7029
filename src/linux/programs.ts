/**
 * The host's programs: where they are, and what they find in their environment.
 *
 * @module
 */

import { accessSync, constants, statSync } from '#files';

/** Administrators' programs, which the PATH of others lacks. */
const ADMINISTRATORS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/**
 * The path of a program; undefined when there is none that can be executed. Relative folders of the search path are
 * passed over: the working directory belongs to whoever made the bundle.
 *
 * @param folders - to be searched, absolute
 */
export function findProgram(name: string, folders: readonly string[] = searchPath()): string | undefined {
  return folders
    .filter((folder) => folder.startsWith('/'))
    .map((folder) => `${folder}/${name}`)
    .find(isProgram);
}

/** The folders of a PATH. */
export function searchPath(path: string = process.env.PATH ?? ''): string[] {
  return path.split(':');
}

/** {@link searchPath}, and administrators' folders after it. */
export function administratorsPath(path?: string): string[] {
  return [...searchPath(path), ...ADMINISTRATORS];
}

export function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The runtime's own environment as execve(2) takes it. */
export function ownEnvironment(): string[] {
  return Object.entries(process.env).map(([name, value]) => `${name}=${value ?? ''}`);
}
