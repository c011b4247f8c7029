/** Lengths of paths: what is too long for the kernel is of no use, and is found late. */

import { utf8Length } from '../../../ffi/text.ts';
import type { Spec } from '../types.ts';
import type { Check } from './types.ts';

/** PATH_MAX without the NUL, and NAME_MAX; in bytes. */
const PATH_LENGTH = 4095;
const NAME_LENGTH = 255;

/** What is this short in characters is short enough in bytes, which are at most 3 for each. */
const SHORT = NAME_LENGTH / 3;

function isTooLong(path: string): boolean {
  if (path.length <= SHORT) return false;
  const length = (text: string): number => utf8Length(text);
  return length(path) > PATH_LENGTH || path.split('/').some((name) => length(name) > NAME_LENGTH);
}

function* pathsOf({ root, process, mounts, linux }: Spec): Iterable<[place: string, path: string]> {
  if (root !== undefined) yield ['root.path', root.path];
  if (process !== undefined) yield ['process.cwd', process.cwd];
  for (const [i, { destination }] of (mounts ?? []).entries())
    yield [`mounts[${i}].destination`, destination];
  for (const name of ['maskedPaths', 'readonlyPaths'] as const)
    for (const [i, path] of (linux?.[name] ?? []).entries()) yield [`linux.${name}[${i}]`, path];
  for (const [i, { path }] of (linux?.devices ?? []).entries()) yield [`linux.devices[${i}].path`, path];
}

export const pathChecks: readonly Check[] = [
  {
    name: 'path-lengths',
    spec: 'config.md, Root; path_resolution(7)',
    reads: ['root', 'process.cwd', 'mounts', 'linux.maskedPaths', 'linux.readonlyPaths', 'linux.devices'],
    check(spec, report) {
      for (const [path, found] of pathsOf(spec)) {
        if (!isTooLong(found)) continue;
        const allowed = `a path of at most ${PATH_LENGTH} bytes, with names of at most ${NAME_LENGTH}`;
        report({ path, found, allowed });
      }
    },
  },
];
