/**
 * Differences that are no bugs of runts, as found with runc 1.1.5 and crun 1.8.1. Each is as narrow as can be, so that it
 * hides nothing else: one field of what the container sees, where possible only at the paths that the config names.
 *
 * @module
 */
import { basename, resolve } from 'node:path';
import type { Mount } from '../../src/spec/types.ts';
import type { TestSpec } from '../../test/harness/config.ts';
import type { Known } from './compare.ts';
import { SIDE } from './side.ts';

const BOTH = ['runc', 'crun'];
const RUNC = ['runc'];
const CRUN = ['crun'];

/** Where a path leads to: the links of the sides' roots. */
function real(path: string): string {
  return resolve('/', path)
    .replace(/^\/opt\/up(?=\/|$)/, '')
    .replace(/^\/link(?=\/|$)/, '/srv/real')
    .replace(/^\/var\/run(?=\/|$)/, '/run');
}

/** An expression for any of some paths, as the config has them and as they are. */
function anyOf(paths: readonly string[]): string {
  const names = paths.flatMap((path) => [real(path), resolve('/', path)]);
  const escaped = [...new Set(names)].map((path) => path.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return `(${escaped.join('|')})`;
}

/** Lines of a section about one of some paths; undefined when there is none. */
function at(section: string, paths: readonly string[], what: string, below = false): RegExp | undefined {
  if (paths.length === 0) return undefined;
  const place = `${anyOf(paths)}${below ? '(/\\S*)?' : ''}`;
  return new RegExp(`^(runts|other)\\| ${section}: '?${place}'?( \\(\\d+\\))? (${what})`);
}

/** What the probe says when it tries to write at some paths; undefined when there is none. */
function writing(paths: readonly string[]): RegExp | undefined {
  if (paths.length === 0) return undefined;
  const told = "(wrote |probe: line \\d+: can't create |rm: can't remove ')";
  return new RegExp(`^(runts|other)\\| write: ${told}${anyOf(paths)}(/\\S*)?`);
}

/** What it says when it can't look into them. */
function reading(paths: readonly string[]): RegExp | undefined {
  if (paths.length === 0) return undefined;
  return new RegExp(`^(runts|other)\\| content: ls: can't open '${anyOf(paths)}': Permission denied$`);
}

/** What it tries in /tmp, where that is one of some paths. */
function trying(paths: readonly string[]): RegExp | undefined {
  return paths.some((path) => real(path) === '/tmp') ? /^(runts|other)\| tries: / : undefined;
}

/** Lines that fit any of some patterns. */
function either(...patterns: readonly (RegExp | undefined)[]): RegExp | undefined {
  const given = patterns.flatMap((pattern) => (pattern === undefined ? [] : [`(${pattern.source})`]));
  return given.length === 0 ? undefined : new RegExp(given.join('|'));
}

const masked = (spec: TestSpec): string[] => spec.linux.maskedPaths ?? [];
const readonlyPaths = (spec: TestSpec): string[] => spec.linux.readonlyPaths ?? [];
const mountsWith = (spec: TestSpec, fits: (mount: Mount, options: string[]) => boolean): string[] =>
  spec.mounts.filter((mount) => fits(mount, mount.options ?? [])).map(({ destination }) => destination);
const fifos = (spec: TestSpec): string[] =>
  (spec.linux.devices ?? []).filter(({ type }) => type === 'p').map(({ path }) => path);
const hasUser = (spec: TestSpec): boolean => spec.linux.namespaces.some(({ type }) => type === 'user');

/** What the probe looks at that lies at or below one of some paths. */
function placesBelow(spec: TestSpec, paths: readonly string[]): string[] {
  const devices = (spec.linux.devices ?? []).map(({ path }) => path);
  const places = [...mountsWith(spec, () => true), ...masked(spec), ...readonlyPaths(spec), ...devices];
  return places.filter((place) => paths.some((path) => `${real(place)}/`.startsWith(`${real(path)}/`)));
}

/** What it says of places that it can't find, or may not even look for. */
function finding(places: readonly string[]): RegExp | undefined {
  if (places.length === 0) return undefined;
  const told = `(places: stat: can't stat '${anyOf(places)}'|content: ls: ${anyOf(places)})`;
  return new RegExp(`^(runts|other)\\| ${told}: (Permission denied|No such file or directory)$`);
}

/** What it sees below some paths where only the other may look: places of the config, or what sources and the root have. */
function looking(spec: TestSpec, paths: readonly string[]): RegExp | undefined {
  if (paths.length === 0) return undefined;
  const below = placesBelow(spec, paths).filter((place) => !paths.includes(place));
  const names = ['a', 'file', 'inner', 'below', ...below.map((path) => basename(path))];
  const listed = new RegExp(`^other\\| content: (${names.join('|')})$`);
  if (below.length === 0) return listed;
  return either(at('places', below, ''), new RegExp(`^other\\| content: ${anyOf(below)}:?$`), listed);
}

/** What hooks in the container leave there, when it can be seen. */
function logging(paths: readonly string[]): RegExp | undefined {
  return paths.some((path) => real(path) === '/tmp') ? /^(runts|other)\| content: hooks$/ : undefined;
}

/** What runts says of a program that may not be looked for below some paths. */
function executing({ process }: TestSpec, paths: readonly string[]): RegExp | undefined {
  const [program = ''] = process.args;
  return paths.some((path) => program.startsWith(`${path}/`))
    ? /^runts\| refused: .* exec \S+: permission denied \(.*\)"$/
    : undefined;
}

const isTree = ({ source }: Mount): boolean => source === `${SIDE}/source/tree`;
const isBind = (options: readonly string[]): boolean => options.some((option) => /^r?bind$/.test(option));
const RECURSIVE = /^r(ro|rw|(no)?(suid|dev|exec)|(no|rel|strict)atime)$/;

const PROPAGATION = /^r?(private|shared|slave|unbindable)$/;

export const KNOWN: readonly Known[] = [
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
    from: BOTH,
    right: 'free',
    why: 'the umask is the command’s alone; with others startContainer hooks have it too',
    lines: ({ process }) =>
      process.user?.umask === undefined
        ? undefined
        : /^(runts|other)\| (left: \/tmp|source left: \/\S+)\/hooks mode \d+$/,
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
    why: 'in a user namespace crun binds a default device that the config names as well a second time',
    lines: (spec) =>
      hasUser(spec)
        ? at(
            'mounts',
            (spec.linux.devices ?? []).map(({ path }) => path).filter((path) => /null|tty/.test(path)),
            '',
          )
        : undefined,
  },
  {
    from: CRUN,
    right: 'runts',
    why: 'in a user namespace crun makes a fifo outside, without its mode, and binds it',
    lines: (spec) =>
      hasUser(spec)
        ? either(
            at('mounts', fifos(spec), ''),
            at('(devices|places)', fifos(spec), 'mode (622|600)$'),
            at('left', fifos(spec), '(is 10? $|mode (622|600)$)'),
          )
        : undefined,
  },
  {
    from: RUNC,
    right: 'runts',
    why: 'in a user namespace runc 1.1 looks for a fifo on the host',
    lines: (spec) =>
      hasUser(spec) && fifos(spec).length > 0
        ? new RegExp(
            `^other\\| refused: .*error creating device nodes: mount ${anyOf(fifos(spec))}:.*no such file or directory"$`,
          )
        : undefined,
  },
  {
    from: CRUN,
    right: 'free',
    why: 'startContainer hooks have the runtime’s streams, as with runc; crun opens the container’s null device with the command’s rights',
    lines: ({ hooks, linux, process }) =>
      hooks?.startContainer !== undefined &&
      linux.devices?.some(({ path, uid = 0 }) => path === '/dev/null' && uid !== process.user?.uid) &&
      process.capabilities?.effective?.includes('CAP_DAC_OVERRIDE') !== true
        ? /^other\| refused: error executing hook `\S+` \(exit code: 1\)(; |$)/
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
    right: 'runts',
    why: 'crun now and then loses a hook before it has read the state, or ends without a word',
    lines: ({ hooks }) =>
      hooks === undefined
        ? undefined
        : /^other\| refused: (error executing hook `\S+` \(exit code: -\d+\); writing to pipe: Broken pipe|nothing; the container: )$/,
  },
  {
    from: CRUN,
    right: 'runts',
    why: 'crun now and then does not come back from a container that ends during its poststart hooks',
    lines: ({ hooks }) =>
      hooks?.poststart === undefined
        ? undefined
        : /^(other\| (exit: -1|says: an error)|runts\| (exit: \d+|says: nothing|hooks: (poststart|poststop|HOOK|state) .*))$/,
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
    from: BOTH,
    right: 'free',
    why: 'the filter is loaded last, by CAP_SYS_ADMIN, so that execve does not gain it; with others it does, and /proc/self is root’s',
    lines: ({ process, linux, mounts }) => {
      const { bounding = [], permitted = [] } = process.capabilities ?? {};
      const gains = bounding.includes('CAP_SYS_ADMIN') && !permitted.includes('CAP_SYS_ADMIN');
      if (linux.seccomp === undefined || process.noNewPrivileges === true || !gains) return undefined;
      // With hidepid=2 a process that isn't its own sees nothing of itself.
      const hidden = mounts.some(
        ({ type, options }) => type === 'proc' && options?.includes('hidepid=2') === true,
      );
      return hidden
        ? /^(runts|other)\| (environment|files|links|mounts|stat|status|streams): /
        : /^(runts|other)\| (environment|links|streams): /;
    },
  },
  {
    from: CRUN,
    right: 'free',
    why: 'the cgroup file system keeps the source of the config; crun names it cgroup2',
    lines: /^(runts|other)\| mounts: \/sys\/fs\/cgroup is cgroup2 cgroup2? \/$/,
  },
  {
    from: CRUN,
    right: 'free',
    why: '/dev/core is made where the host has a /proc/kcore, as with runc; crun makes it always',
    lines: /^other\| (devices|left): '?\/dev\/core'? /,
  },
  {
    from: CRUN,
    right: 'free',
    why: 'in a user namespace the host’s devices are bound as they are; crun adds noexec, which means nothing for a device',
    lines: (spec) =>
      hasUser(spec) ? /^other\| mounts: \/dev\/(full|null|random|tty|urandom|zero) has noexec$/ : undefined,
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
      either(at('mounts', readonlyPaths(spec), 'is r[ow]$', true), writing(readonlyPaths(spec))),
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
    from: RUNC,
    right: 'runts',
    why: 'a poststop hook that fails is a warning; runc calls it an error',
    lines: ({ hooks }) => (hooks?.poststop === undefined ? undefined : /^(runts|other)\| says: /),
  },
  {
    from: RUNC,
    right: 'runts',
    why: 'after a poststop hook that fails the rest of them run; runc leaves them out',
    lines: ({ hooks }) =>
      hooks?.poststop?.slice(0, -1).some(({ args }) => args?.some((text) => text.endsWith('exit 3')))
        ? /^runts\| hooks: (poststop \d|HOOK|state \{"id":"ID","status":"stopped")/
        : undefined,
  },
  {
    from: CRUN,
    right: 'free',
    why: 'in a user namespace devices are the host’s of the same path, as with runc; crun makes new ones outside of it',
    lines: (spec) =>
      hasUser(spec) && (spec.linux.devices ?? []).length > 0
        ? /^runts\| refused: .*linux\.devices\[\d+\]: open_tree\(.*ENOENT\)"$/
        : undefined,
  },
  {
    from: RUNC,
    right: 'free',
    why: 'runc can’t set sysctls below a read-only /proc',
    lines: ({ mounts, linux }) =>
      linux.sysctl !== undefined &&
      mounts.some(({ destination, options }) => destination === '/proc' && options?.includes('ro'))
        ? /^other\| refused: .*open \/proc\/sys\/\S+: read-only file system"$/
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
  {
    from: CRUN,
    right: 'runts',
    why: 'startContainer hooks get the state "created" and the bundle; crun says "starting", "/" and no pid',
    lines: ({ hooks }) =>
      hooks?.startContainer === undefined
        ? undefined
        : /^(runts|other)\| hooks: state \{"id":"ID","status":"(created|starting)"/,
  },
  {
    from: CRUN,
    right: 'runts',
    why: 'hooks get the bundle’s path; crun says "/" when it has made devices outside of a user namespace',
    lines: (spec) =>
      spec.hooks !== undefined && hasUser(spec) && (spec.linux.devices ?? []).length > 0
        ? /^(runts|other)\| hooks: state \{"id":"ID","status":"\w+","bundle":"(\/|SIDE\/bundle)"/
        : undefined,
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
  {
    from: CRUN,
    right: 'free',
    why: 'crun gives the standard streams to the container’s user and group, runts to the user alone, as runc does',
    lines: /^(runts|other)\| streams: fd\/[012] \d+:\d+$/,
  },
  {
    from: CRUN,
    right: 'free',
    why: 'a user without an entry in passwd has HOME=/, as with runc; crun sets none',
    lines: ({ process }) =>
      process.env.some((text) => text.startsWith('HOME=')) ? undefined : /^runts\| environment: HOME=\/$/,
  },
  {
    from: BOTH,
    right: 'free',
    why: 'where passwd is masked or mounted over, HOME comes from the image’s own; others look at what is left of it',
    lines: (spec) =>
      [...masked(spec), ...mountsWith(spec, () => true)].some((path) => /^\/etc(\/passwd)?$/.test(real(path)))
        ? /^(runts|other)\| environment: HOME=/
        : undefined,
  },
  {
    from: RUNC,
    right: 'free',
    why: '`run` hands on its own streams; runc copies to and from pipes that belong to the container’s user',
    lines: /^(runts|other)\| streams: fd\/[012] /,
  },
  {
    from: RUNC,
    right: 'runts',
    why: 'runc 1.1 does not know domainname',
    lines: ({ domainname }) =>
      domainname === undefined ? undefined : /^(runts|other)\| files: \/proc\/sys\/kernel\/domainname:/,
  },
  {
    from: BOTH,
    right: 'free',
    why: 'an empty HOME counts as none and comes from passwd, as with runc since 1.2',
    lines: ({ process }) =>
      process.env.includes('HOME=') ? /^(runts|other)\| environment: HOME=/ : undefined,
  },
  {
    from: RUNC,
    right: 'free',
    why: 'in a user namespace the message queues belong to its root in both ids, because init becomes it before they are made',
    lines: (spec) => (hasUser(spec) ? /^(runts|other)\| devices: \/dev\/mqueue owner 0:/ : undefined),
  },
  {
    from: RUNC,
    right: 'runts',
    why: 'poststart hooks get the state "running"; runc 1.1 says "created"',
    lines: ({ hooks }) =>
      hooks?.poststart === undefined
        ? undefined
        : /^(runts|other)\| hooks: state \{"id":"ID","status":"(running|created)"/,
  },
  {
    from: RUNC,
    right: 'free',
    why: 'runc 1.1 knows no flags of seccomp filters',
    lines: ({ linux }) =>
      linux.seccomp?.flags === undefined
        ? undefined
        : /^other\| refused: .*seccomp flags are not yet supported by runc"$/,
  },
  {
    from: RUNC,
    right: 'runts',
    why: 'a device that is one of the default devices too stays allowed; runc 1.1 denies it',
    lines: ({ linux }) =>
      linux.devices?.some(({ path }) => /^\/dev\/(null|tty)$/.test(path))
        ? /^(other\| refused: .*error reopening \/dev\/null inside container: open \/dev\/null: operation not permitted"|(runts|other)\| write: probe: line \d+: can't create \/dev\/(tty|null): .*)$/
        : undefined,
  },
  {
    from: CRUN,
    right: 'free',
    why: 'crun leaves a SIGCHLD of a hook pending and blocked',
    lines: ({ hooks }) =>
      hooks === undefined ? undefined : /^(runts|other)\| status: (SigBlk|ShdPnd) 00000000000[01]0000$/,
  },
  {
    from: CRUN,
    right: 'runts',
    why: 'hooks of `create` get the state "creating"; crun says "created", and gives none a pid in the container',
    lines: ({ hooks }) =>
      hooks === undefined
        ? undefined
        : /^(runts|other)\| hooks: state \{"id":"ID","status":"(creating|created)"/,
  },
];
