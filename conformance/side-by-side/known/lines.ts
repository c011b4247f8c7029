/**
 * Which lines of a comparison a known difference is about, by the paths that the config names.
 *
 * @module
 */
import { basename, resolve } from 'node:path';
import type { Mount } from '../../../src/spec/types.ts';
import type { TestSpec } from '../../../test/harness/config.ts';
import { SIDE } from '../side.ts';

export const BOTH = ['runc', 'crun'];
export const RUNC = ['runc'];
export const CRUN = ['crun'];

/** Where a path leads to: the links of the sides' roots. */
export function real(path: string): string {
  return resolve('/', path)
    .replace(/^\/opt\/up(?=\/|$)/, '')
    .replace(/^\/link(?=\/|$)/, '/srv/real')
    .replace(/^\/var\/run(?=\/|$)/, '/run');
}

/** An expression for any of some paths, as the config has them and as they are. */
export function anyOf(paths: readonly string[]): string {
  const names = paths.flatMap((path) => [real(path), resolve('/', path)]);
  const escaped = [...new Set(names)].map((path) => path.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return `(${escaped.join('|')})`;
}

/** Lines of a section about one of some paths; undefined when there is none. */
export function at(
  section: string,
  paths: readonly string[],
  what: string,
  below = false,
): RegExp | undefined {
  if (paths.length === 0) return undefined;
  const place = `${anyOf(paths)}${below ? '(/\\S*)?' : ''}`;
  return new RegExp(`^(runts|other)\\| ${section}: '?${place}'?( \\(\\d+\\))? (${what})`);
}

/** What the probe says when it tries to write at some paths; undefined when there is none. */
export function writing(paths: readonly string[]): RegExp | undefined {
  if (paths.length === 0) return undefined;
  const told = "(wrote |probe: line \\d+: can't create |rm: can't remove ')";
  return new RegExp(`^(runts|other)\\| write: ${told}${anyOf(paths)}(/\\S*)?`);
}

/** What it can't take away where the same source is mounted once more: there it was written below one of some paths. */
export function removing(spec: TestSpec, paths: readonly string[]): RegExp | undefined {
  const file = (source = ''): string => source.replace(/\/source\/link$/, '/source/folder');
  const below = placesBelow(spec, paths);
  const written = spec.mounts.filter(({ destination }) => below.includes(destination));
  const twins = mountsWith(spec, ({ source }) => written.some((one) => file(one.source) === file(source)));
  if (twins.length === 0) return undefined;
  return new RegExp(`^other\\| write: rm: can't remove '${anyOf(twins)}/.written': Read-only file system$`);
}

/** What it says when it can't look into them. */
export function reading(paths: readonly string[]): RegExp | undefined {
  if (paths.length === 0) return undefined;
  return new RegExp(`^(runts|other)\\| content: ls: can't open '${anyOf(paths)}': Permission denied$`);
}

/** What it tries in /tmp, where that is one of some paths. */
export function trying(paths: readonly string[]): RegExp | undefined {
  return paths.some((path) => real(path) === '/tmp') ? /^(runts|other)\| tries: / : undefined;
}

/** Lines that fit any of some patterns. */
export function either(...patterns: readonly (RegExp | undefined)[]): RegExp | undefined {
  const given = patterns.flatMap((pattern) => (pattern === undefined ? [] : [`(${pattern.source})`]));
  return given.length === 0 ? undefined : new RegExp(given.join('|'));
}

export const masked = (spec: TestSpec): string[] => spec.linux.maskedPaths ?? [];
export const readonlyPaths = (spec: TestSpec): string[] => spec.linux.readonlyPaths ?? [];
export const mountsWith = (spec: TestSpec, fits: (mount: Mount, options: string[]) => boolean): string[] =>
  spec.mounts.filter((mount) => fits(mount, mount.options ?? [])).map(({ destination }) => destination);
export const fifos = (spec: TestSpec): string[] =>
  (spec.linux.devices ?? []).filter(({ type }) => type === 'p').map(({ path }) => path);
export const hasUser = (spec: TestSpec): boolean => spec.linux.namespaces.some(({ type }) => type === 'user');

/** What the probe looks at that lies at or below one of some paths. */
export function placesBelow(spec: TestSpec, paths: readonly string[]): string[] {
  const devices = (spec.linux.devices ?? []).map(({ path }) => path);
  const places = [...mountsWith(spec, () => true), ...masked(spec), ...readonlyPaths(spec), ...devices];
  return places.filter((place) => paths.some((path) => `${real(place)}/`.startsWith(`${real(path)}/`)));
}

/** What it says of places that it can't find, or may not even look for. */
export function finding(places: readonly string[]): RegExp | undefined {
  if (places.length === 0) return undefined;
  const told = `(places: stat: can't stat '${anyOf(places)}'|content: ls: ${anyOf(places)})`;
  return new RegExp(`^(runts|other)\\| ${told}: (Permission denied|No such file or directory)$`);
}

/** What it sees below some paths where only the other may look: places of the config, or what sources and the root have. */
export function looking(spec: TestSpec, paths: readonly string[]): RegExp | undefined {
  if (paths.length === 0) return undefined;
  const below = placesBelow(spec, paths).filter((place) => !paths.includes(place));
  const names = ['a', 'file', 'inner', 'below', ...below.map((path) => basename(path))];
  const listed = new RegExp(`^other\\| content: (${names.join('|')})$`);
  if (below.length === 0) return listed;
  return either(at('places', below, ''), new RegExp(`^other\\| content: ${anyOf(below)}:?$`), listed);
}

/** What hooks in the container leave there, when it can be seen. */
export function logging(paths: readonly string[]): RegExp | undefined {
  return paths.some((path) => real(path) === '/tmp') ? /^(runts|other)\| content: hooks$/ : undefined;
}

/** What runts says of a program that may not be looked for below some paths. */
export function executing({ process }: TestSpec, paths: readonly string[]): RegExp | undefined {
  const [program = ''] = process.args;
  return paths.some((path) => program.startsWith(`${path}/`))
    ? /^runts\| refused: .* exec \S+: permission denied \(.*\)"$/
    : undefined;
}

export const isTree = ({ source }: Mount): boolean => source === `${SIDE}/source/tree`;
export const isBind = (options: readonly string[]): boolean =>
  options.some((option) => /^r?bind$/.test(option));
export const RECURSIVE = /^r(ro|rw|(no)?(suid|dev|exec)|(no|rel|strict)atime)$/;

export const PROPAGATION = /^r?(private|shared|slave|unbindable)$/;
