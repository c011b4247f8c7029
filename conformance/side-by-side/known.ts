/**
 * Differences that are no bugs of runts, as found with runc 1.1.5 and crun 1.8.1. Each is as narrow as can be, so that it
 * hides nothing else: one field of what the container sees, where possible only at the paths that the config names.
 *
 * @module
 */
import { resolve } from 'node:path';
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

/** Lines of a section about one of some paths; undefined when there is none. */
function at(section: string, paths: readonly string[], what: string, below = false): RegExp | undefined {
  if (paths.length === 0) return undefined;
  const names = paths.flatMap((path) => [real(path), resolve('/', path)]);
  const escaped = [...new Set(names)].map((path) => path.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(
    `^(runts|other)\\| ${section}: '?(${escaped.join('|')})'?${below ? '(/\\S*)?' : ''}( \\(\\d+\\))? (${what})`,
  );
}

const masked = (spec: TestSpec): string[] => spec.linux.maskedPaths ?? [];
const readonlyPaths = (spec: TestSpec): string[] => spec.linux.readonlyPaths ?? [];
const mountsWith = (spec: TestSpec, fits: (mount: Mount, options: string[]) => boolean): string[] =>
  spec.mounts.filter((mount) => fits(mount, mount.options ?? [])).map(({ destination }) => destination);
const hasUser = (spec: TestSpec): boolean => spec.linux.namespaces.some(({ type }) => type === 'user');

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
        'is tmpfs (none|tmpfs) /$|has (nosuid,nodev,noexec)?$|below is r[ow]$|below has (gid=\\d+)?,?(nr_inodes=1)?,?(size=[04]k)?,?(uid=\\d+)?$',
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
        'is \\S+ \\S+ \\S*/null$|is r[ow]$|has (nosuid)?(,noexec)?$|does (rel|strict)atime$|below has (mode=755|mode=755,size=65536k)$',
      ),
  },
  {
    from: CRUN,
    right: 'free',
    why: 'a read-only path keeps nosuid, nodev and noexec of what it lies on, as with runc; crun drops them',
    lines: (spec) => at('mounts', readonlyPaths(spec), 'has (nosuid)?,?(nodev)?,?(noexec)?$'),
  },
  {
    from: BOTH,
    right: 'free',
    why: 'a bind mount with options keeps what the source has and no option takes away; others clear it',
    lines: (spec) =>
      at(
        'mounts',
        mountsWith(spec, ({ source }) => source === `${SIDE}/source/tree`),
        'has (nosuid)?,?(nodev)?,?(noexec)?$',
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
        ? /^other\| refused: .*error preparing rootfs: mount .* invalid argument$/
        : undefined,
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
    why: 'the cgroup file system keeps the source of the config; crun names it cgroup2',
    lines: /^(runts|other)\| mounts: \/sys\/fs\/cgroup is cgroup2 cgroup2? \/$/,
  },
  {
    from: CRUN,
    right: 'free',
    why: '/dev/core is made where the host has a /proc/kcore, as with runc; crun makes it always',
    lines: /^other\| (devices|left): '?\/dev\/core\b/,
  },
  {
    from: CRUN,
    right: 'free',
    why: 'in a user namespace the host’s devices are bound as they are; crun adds noexec, which means nothing for a device',
    lines: (spec) =>
      hasUser(spec)
        ? /^(runts|other)\| mounts: \/dev\/(full|null|random|tty|urandom|zero) has nosuid(,noexec)?$/
        : undefined,
  },
  {
    from: CRUN,
    right: 'free',
    why: 'crun makes the folders of mounts with the sticky bit',
    lines: /^(runts|other)\| left: \S+ mode 1?755$/,
  },
  {
    from: BOTH,
    right: 'free',
    why: 'files made for mounts are not executable; runc makes them with mode 755, crun with 700',
    lines: /^(runts|other)\| left: \S+ mode (644|755|700)$/,
  },
  {
    from: CRUN,
    right: 'free',
    why: 'a tmpfs without a mode has that of the folder below it, as with runc; with crun it has the kernel’s 1777',
    lines: (spec) =>
      at(
        '(places|devices)',
        mountsWith(spec, ({ type }, options) => type === 'tmpfs' && !options.includes('mode=0700')),
        'mode (755|1777)$',
      ),
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
    lines: (spec) => (hasUser(spec) ? /^(runts|other)\| devices: '\/dev\/mqueue' owner 0:/ : undefined),
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
