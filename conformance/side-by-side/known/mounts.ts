/**
 * Known differences of mounts: attributes, propagation, what is bound.
 *
 * @module
 */
import type { Known } from '../compare.ts';
import { SIDE } from '../side.ts';
import {
  at,
  BOTH,
  CRUN,
  either,
  hasUser,
  isBind,
  isTree,
  mountsWith,
  PROPAGATION,
  RECURSIVE,
  RUNC,
  real,
  trying,
  writing,
} from './lines.ts';

export const MOUNTS: readonly Known[] = [
  {
    from: BOTH,
    right: 'free',
    why: 'a bind mount with options keeps what the source has and no option takes away; others clear it',
    lines: (spec) =>
      at(
        'mounts',
        mountsWith(spec, ({ source }) => source === `${SIDE}/source/tree`),
        'has (nosuid|nodev|noexec)$',
        true,
      ),
  },
  {
    from: RUNC,
    right: 'runts',
    why: 'rootfsPropagation holds in the container, as the specification says; runc 1.1 applies it to the parent only',
    lines: ({ linux }) =>
      /shared/.test(linux.rootfsPropagation ?? '') ? /^(runts|other)\| mounts: .* propagates / : undefined,
  },
  {
    from: RUNC,
    right: 'runts',
    why: 'runc 1.1 can’t bind its root when that is to be unbindable',
    lines: ({ linux }) =>
      /unbindable/.test(linux.rootfsPropagation ?? '')
        ? /^other\| refused: .*error preparing rootfs: mount .* invalid argument"$/
        : undefined,
  },
  {
    from: CRUN,
    right: 'runts',
    why: 'crun can’t bind anything within a root that is to be unbindable',
    lines: ({ linux }) =>
      /unbindable/.test(linux.rootfsPropagation ?? '')
        ? /^other\| refused: mount .* to `\S+`: Invalid argument$/
        : undefined,
  },
  {
    from: CRUN,
    right: 'runts',
    why: 'crun can’t bind a file with recursive attributes or propagation',
    lines: (spec) => {
      const paths = mountsWith(
        spec,
        ({ source }, options) =>
          /\/(file|private)$/.test(source ?? '') &&
          options.some((o) => RECURSIVE.test(o) || PROPAGATION.test(o)),
      );
      return paths.length > 0 ? /^other\| refused: open mount target `\S+`: Not a directory$/ : undefined;
    },
  },
  {
    from: CRUN,
    right: 'runts',
    why: 'a bind mount has the attributes that it asks for, in a user namespace and beside recursive ones too; with crun it hasn’t',
    lines: (spec) => {
      const paths = mountsWith(
        spec,
        (_, options) => isBind(options) && (hasUser(spec) || options.some((o) => RECURSIVE.test(o))),
      );
      const what = 'has (nosuid|nodev|noexec|nodiratime|nosymfollow)$|does (no|rel|strict)atime$|is r[ow]$';
      return either(at('mounts', paths, what, true), writing(paths), trying(paths));
    },
  },
  {
    from: CRUN,
    right: 'runts',
    why: 'the propagation that a mount asks for holds, as with runc; crun makes the tree private afterwards',
    lines: (spec) =>
      at(
        'mounts',
        mountsWith(spec, (_, options) => options.some((option) => PROPAGATION.test(option))),
        'propagates ',
        true,
      ),
  },
  {
    from: CRUN,
    right: 'free',
    why: 'a read-only sysfs or proc is mounted so from the start, as with runc; crun makes the mount read-only afterwards',
    lines: /^(runts|other)\| mounts: \/(sys|proc)(\/\S+)? below is r[ow]$/,
  },
  {
    from: CRUN,
    right: 'free',
    why: 'so is every other file system that is read-only',
    lines: (spec) =>
      at(
        'mounts',
        mountsWith(spec, (_, options) => !isBind(options) && options.includes('ro')),
        'below is r[ow]$',
      ),
  },
  {
    from: CRUN,
    right: 'free',
    why: 'what is missing within a read-only bind mount or overlay can’t be made, as with runc; crun makes such mounts read-only in the end',
    lines: (spec) => {
      const paths = mountsWith(
        spec,
        ({ type }, options) => options.includes('ro') && (isBind(options) || type === 'overlay'),
      );
      const inside = spec.mounts.some(({ destination }) =>
        paths.some((path) => real(destination).startsWith(`${real(path)}/`)),
      );
      return inside ? /^runts\| refused: .*read-only/ : undefined;
    },
  },
  {
    from: CRUN,
    right: 'free',
    why: 'the cgroup file system keeps the source of the config; crun names it cgroup2',
    lines: /^(runts|other)\| mounts: \/sys\/fs\/cgroup is cgroup2 cgroup2? \/$/,
  },
  {
    from: BOTH,
    right: 'free',
    why: 'recursive attributes count for a new file system as plain ones do; runc ignores them there, crun refuses them',
    lines: (spec) => {
      const paths = mountsWith(
        spec,
        (_, options) => !isBind(options) && options.some((o) => RECURSIVE.test(o)),
      );
      return either(
        at('mounts', paths, '(is r[ow]|has|does)\\b'),
        writing(paths),
        trying(paths),
        paths.length > 0 ? /^other\| refused: mount_setattr `\S+`: Invalid argument$/ : undefined,
      );
    },
  },
  {
    from: CRUN,
    right: 'runts',
    why: 'crun can’t set recursive attributes of atime on a bind mount',
    lines: (spec) =>
      mountsWith(spec, (_, options) => isBind(options) && options.some((o) => RECURSIVE.test(o))).length > 0
        ? /^other\| refused: mount_setattr `\S+`: Invalid argument$/
        : undefined,
  },
  {
    from: RUNC,
    right: 'runts',
    why: 'in a user namespace runc 1.1 can’t bind a tree by halves, nor change a bind mount whose flags are locked',
    lines: (spec) =>
      hasUser(spec) && mountsWith(spec, (_, options) => isBind(options)).length > 0
        ? /^other\| refused: .*error mounting \\"SIDE\/source\/\S+ to rootfs at .*: (invalid argument|operation not permitted)"$/
        : undefined,
  },
  {
    from: CRUN,
    right: 'runts',
    why: '`bind` takes the top alone and `rbind` all; with crun propagation makes the one the other, and a user namespace the other the one',
    lines: (spec) => {
      const trees = mountsWith(
        spec,
        (mount, options) => isTree(mount) && (hasUser(spec) || options.some((o) => PROPAGATION.test(o))),
      );
      return at(
        'mounts',
        trees.flatMap((path) => [`${path}/inner`]),
        '',
      );
    },
  },
  {
    from: BOTH,
    right: 'free',
    why: 'rootfsPropagation with an r holds for all mounts in the end; others set it before they mount',
    lines: (spec) =>
      /^r/.test(spec.linux.rootfsPropagation ?? '')
        ? at(
            'mounts',
            mountsWith(spec, (_, options) => options.some((o) => PROPAGATION.test(o))),
            'propagates ',
            true,
          )
        : undefined,
  },
  {
    from: BOTH,
    right: 'free',
    why: 'the sysfs of a network namespace that others use is theirs too: what mounted it last counts',
    lines: ({ linux }) =>
      linux.namespaces.some(({ type, path }) => type === 'network' && path === undefined)
        ? undefined
        : /^(runts|other)\| mounts: \/sys(\/\S+)? below is r[ow]$/,
  },
];
