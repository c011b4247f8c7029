/**
 * Known differences of processes, devices and hooks.
 *
 * @module
 */
import type { Known } from '../compare.ts';
import { anyOf, at, BOTH, CRUN, either, fifos, hasUser, masked, mountsWith, RUNC, real } from './lines.ts';

export const PROCESSES: readonly Known[] = [
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
    from: RUNC,
    right: 'free',
    why: 'prestart hooks get the state "created", as when they were made, and with crun; runc says "creating"',
    lines: ({ hooks }) =>
      hooks?.prestart === undefined
        ? undefined
        : /^(runts|other)\| hooks: state \{"id":"ID","status":"(created|creating)"/,
  },
  {
    from: CRUN,
    right: 'runts',
    why: 'createRuntime and createContainer hooks get the state "creating"; crun says "created", and gives none a pid in the container',
    lines: ({ hooks }) =>
      hooks === undefined
        ? undefined
        : /^(runts|other)\| hooks: state \{"id":"ID","status":"(creating|created)"/,
  },
];
