/**
 * Known differences of what lies at paths: masked and read-only ones, tmpfs and its content, what was made for mounts.
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
  executing,
  finding,
  hasUser,
  logging,
  looking,
  masked,
  mountsWith,
  placesBelow,
  RUNC,
  reading,
  readonlyPaths,
  real,
  removing,
  trying,
  writing,
} from './lines.ts';

export const PATHS: readonly Known[] = [
  {
    from: BOTH,
    right: 'free',
    why: 'masked folders share one sealed tmpfs with room for nothing, as with runc since 1.3',
    lines: (spec) =>
      at(
        'mounts',
        masked(spec),
        'is (tmpfs|overlay) (none|tmpfs|overlay) /$|has (nosuid|nodev|noexec)$|propagates (shared)?$|below is r[ow]$|below has (gid=\\d+)?,?(nr_inodes=1)?,?(size=[04]k)?,?(uid=\\d+)?$',
      ),
  },
  {
    from: BOTH,
    right: 'free',
    why: 'masked files are covered with the host’s null device, which no image can replace, not with the container’s',
    lines: (spec) =>
      at(
        'mounts',
        masked(spec),
        'is \\S+ \\S+ \\S*/null$|is r[ow]$|has (nosuid|nodev|noexec)$|does \\S+$|below (has|is) ',
      ),
  },
  {
    from: CRUN,
    right: 'free',
    why: 'a read-only path keeps the attributes of what it lies on, as with runc; crun drops them',
    lines: (spec) =>
      at(
        'mounts',
        readonlyPaths(spec),
        'has (nosuid|nodev|noexec|nodiratime)$|does (no|rel|strict)atime$',
        true,
      ),
  },
  {
    from: RUNC,
    right: 'runts',
    why: 'the propagation that a mount asks for holds; runc 1.1 moves a filled tmpfs, which is shared then where the mount below is',
    lines: (spec) => {
      const shared = mountsWith(spec, (_, options) => options.some((o) => /^r?shared$/.test(o))).map(real);
      const filled = mountsWith(spec, (_, options) => options.includes('tmpcopyup'));
      return at(
        'mounts',
        filled.filter((path) => shared.includes(real(path))),
        'propagates (shared)?$',
      );
    },
  },
  {
    from: RUNC,
    right: 'runts',
    why: 'the mode that a tmpfs is given holds; runc 1.1 gives it that of the folder below all the same',
    lines: (spec) => {
      const paths = mountsWith(spec, (_, options) => options.includes('mode=0700'));
      return either(
        at('(places|devices)', paths, 'mode (700|755|1777)$'),
        reading(paths),
        finding(placesBelow(spec, paths)),
        looking(spec, paths),
        writing(paths),
        trying(paths),
        logging(paths),
        executing(spec, paths),
      );
    },
  },
  {
    from: RUNC,
    right: 'runts',
    why: 'a read-only tmpfs that a later mount covers is read-only; runc 1.1 makes read-only what its path leads to in the end',
    lines: (spec) => {
      const paths = mountsWith(spec, ({ type }, options) => type === 'tmpfs' && options.includes('ro'));
      const covered = paths.filter(
        (path) =>
          spec.mounts.filter(({ destination }) => real(path).startsWith(real(destination))).length > 1,
      );
      return either(
        at('mounts', covered, 'is r[ow]$|has |does '),
        writing(covered),
        trying(covered),
        covered.length > 0
          ? /^other\| refused: .*mount \S+, flags: 0x[0-9a-f]*[13579bdf]: (no such file or directory|invalid argument)"$/
          : undefined,
      );
    },
  },
  {
    from: RUNC,
    right: 'free',
    why: 'a path is cleaned before it is looked up; runc 1.1 makes a tmpfs read-only by its path as it stands, and what that passes may be missing',
    lines: (spec) =>
      mountsWith(spec, ({ type }, options) => type === 'tmpfs' && options.includes('ro')).some((path) =>
        path.includes('/c/../'),
      )
        ? /^other\| refused: .*mount \S+\/c\/\.\.\/\S+, flags: 0x[0-9a-f]*[13579bdf]: no such file or directory"$/
        : undefined,
  },
  {
    from: BOTH,
    right: 'free',
    why: 'what nobody in the container owns is copied to a tmpfs as its root’s; others refuse to',
    lines: (spec) => {
      const sources = mountsWith(spec, ({ source }) => source?.startsWith(SIDE) === true).map(real);
      const copies = mountsWith(spec, (_, options) => options.includes('tmpcopyup'));
      return hasUser(spec) && copies.some((path) => sources.includes(real(path)))
        ? /^other\| refused: (.*: tmpcopyup: failed to copy .*: lchown \S+: invalid argument"|chown `\S+`: Invalid argument)$/
        : undefined;
    },
  },
  {
    from: CRUN,
    right: 'free',
    why: 'crun makes the folders of mounts with the sticky bit',
    lines: /^(runts|other)\| (source left|left|places|devices): \S+ mode 1?755$/,
  },
  {
    from: BOTH,
    right: 'free',
    why: 'files made for mounts are not executable; runc makes them with mode 755, crun with 700',
    lines: (spec) => {
      // An unbindable mount is not in the copy of a folder that is read-only.
      const gone = mountsWith(spec, (_, options) => options.some((o) => /^r?unbindable$/.test(o)));
      const bare = gone.filter((path) =>
        readonlyPaths(spec).some((folder) => real(path).startsWith(`${real(folder)}/`)),
      );
      return either(
        /^(runts|other)\| (source )?left: \S+ mode (644|666|755|700)$/,
        at('places', bare, 'mode (644|755|700)$'),
      );
    },
  },
  {
    from: CRUN,
    right: 'free',
    why: 'a tmpfs without a mode has that of the folder below it, as with runc; with crun it has the kernel’s 1777',
    lines: (spec) => {
      const paths = mountsWith(
        spec,
        ({ type }, options) => type === 'tmpfs' && !options.includes('mode=0700'),
      );
      // The folder below may be another tmpfs.
      const given = mountsWith(spec, (_, options) => options.includes('mode=0700')).map(real);
      const covering = paths.filter((path) => given.includes(real(path)));
      return either(
        at('(places|devices)', paths, 'mode (755|1777)$'),
        at('(places|devices)', covering, 'mode 700$'),
        reading(covering),
        writing(placesBelow(spec, paths)),
        trying(paths),
      );
    },
  },
  {
    from: BOTH,
    right: 'free',
    why: 'a copy of a folder has its owner too; others copy what is in it alone',
    lines: (spec) => {
      const owned = mountsWith(spec, (_, options) => options.some((option) => /^[ug]id=/.test(option)));
      const copies = mountsWith(
        spec,
        (_, options) => options.includes('tmpcopyup') && !options.some((option) => /^[ug]id=/.test(option)),
      );
      const covering = copies.filter((path) => owned.map(real).includes(real(path)));
      return at('(places|devices)', covering, 'owner \\d+:\\d+$');
    },
  },
  {
    from: BOTH,
    right: 'free',
    why: 'a read-only path is read-only with all that is mounted below; runc and crun make only its top so',
    lines: (spec) =>
      either(
        at('mounts', readonlyPaths(spec), 'is r[ow]$', true),
        writing(readonlyPaths(spec)),
        removing(spec, readonlyPaths(spec)),
      ),
  },
  {
    from: CRUN,
    right: 'free',
    why: 'a path that is masked, or within one, is not made read-only with crun',
    lines: (spec) => {
      const both = readonlyPaths(spec).filter((path) =>
        masked(spec).some((other) => `${real(path)}/`.startsWith(`${real(other)}/`)),
      );
      return at('mounts', both, '', true);
    },
  },
  {
    from: CRUN,
    right: 'free',
    why: 'a path is cleaned before it is looked up, as with runc; crun makes the folders that it passes on its way',
    lines: ({ mounts }) =>
      mounts.some(({ destination }) => destination.includes('/c/../'))
        ? /^other\| left: \/mnt\/c (is|mode|owner) /
        : undefined,
  },
];
