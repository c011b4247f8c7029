/**
 * A private world for tests with containers: namespaces in which a runtime that goes wrong can't hurt the host.
 *
 * - Mounts are private; /run and /dev are the world's own; device nodes can't be changed on the host.
 * - It has a pid namespace: everything in it is killed when its command ends, or when whoever started it is killed.
 * - Cgroups are the kernel's, not the world's: those with this process's {@link TOKEN} in the path are removed at the end.
 *
 * @module
 */

import { type SpawnSyncOptions, type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { findCommand, missing } from './requirements.ts';
import { TOKEN } from './temporary.ts';

/**
 * Which cgroup hierarchies there are:
 *
 * - `host`: as the host has them
 * - `v2`: only the unified one, at /sys/fs/cgroup; on a host with v1 hierarchies it has few controllers or none
 * - `v1`: only v1 hierarchies; not on a host without
 */
export type CgroupMode = 'host' | 'v2' | 'v1';

export interface WorldOptions {
  cgroups?: CgroupMode;
  /** A network namespace with nothing but lo. The host's network otherwise. */
  network?: boolean;
}

export interface World {
  /** Why there is no world here; false inside of one. For the `skip` option of `test` and `describe`. */
  skip: string | false;
}

/** Names the world that this process is in. */
const INSIDE = 'RUNTS_TEST_WORLD';

/** The world could not be made; the reason is on descriptor 3, where it says {@link MADE} otherwise. */
const NO_WORLD = 125;

const MADE = 'made';

/**
 * $1: cgroup mode, $2: token, then the command.
 *
 * The shell stays as the world's process 1 to reap orphans. At the end it kills all others; their cgroups are busy
 * until the last of them is dead.
 */
const SETUP = `
fail() { echo "$1" >&3; exit ${NO_WORLD}; }
unified() { grep -q ' - cgroup2 ' /proc/self/mountinfo; }
legacy() { grep -q ' - cgroup ' /proc/self/mountinfo; }
case $1 in
v2)
  if legacy || ! unified; then
    umount -R /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup || fail 'cannot mount cgroup v2 alone'
  fi;;
v1)
  legacy || fail 'the host has no cgroup v1'
  if unified; then
    for point in $(grep ' - cgroup2 ' /proc/self/mountinfo | cut -d' ' -f5); do
      umount "$point" || fail 'cannot unmount cgroup v2'
    done
  fi;;
esac
token=$2
shift 2

mount -t tmpfs -o mode=755 tmpfs /run && mkdir -p /run/lock /run/user/0 /run/netns || fail 'cannot mount /run'

dev=/run/world-dev
mkdir $dev && mount -t tmpfs -o mode=755,nosuid tmpfs $dev || fail 'cannot mount /dev'
for name in null zero full random urandom tty console fuse kmsg fd stdin stdout stderr; do
  [ -e /dev/$name ] && cp -a /dev/$name $dev/
done
mkdir $dev/pts $dev/shm $dev/mqueue
ln -s pts/ptmx $dev/ptmx
mount --bind /dev/pts $dev/pts && mount -t tmpfs -o mode=1777 tmpfs $dev/shm || fail 'cannot mount /dev/pts'
mount -t mqueue mqueue $dev/mqueue 2>/dev/null
mount --rbind $dev /dev && umount -l $dev && rmdir $dev || fail 'cannot mount /dev'
echo ${MADE} >&3
exec 3>&-

"$@"
code=$?

kill -9 -1 2>/dev/null
for i in 1 2 3 4 5 6 7 8 9 10; do
  find /sys/fs/cgroup -depth -type d -path "*/$token*" -exec rmdir {} + 2>/dev/null
  [ -z "$(find /sys/fs/cgroup -type d -path "*/$token*" -print -quit 2>/dev/null)" ] && break
  sleep 0.1
done
exit $code
`;

/** The command line that runs a command in a world. */
function worldCommand(
  { cgroups = 'host', network = false }: WorldOptions,
  argv: readonly string[],
): string[] {
  const setpriv = findCommand('setpriv');
  return [
    // Whoever started the world may be killed, by a test's time limit for instance.
    ...(setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'KILL', '--']),
    'unshare',
    ...['--mount', '--pid', '--fork', '--kill-child', '--mount-proc'],
    ...(network ? ['--net'] : []),
    ...['sh', '-c', SETUP, 'sh', cgroups, TOKEN],
    ...(network ? ['sh', '-c', 'ip link set lo up 2>/dev/null; exec "$@"', 'sh'] : []),
    ...argv,
  ];
}

/**
 * Runs a command in a private world.
 *
 * @returns what spawnSync gives
 * @throws Error when no world can be made here
 */
export function inWorld(
  options: WorldOptions | CgroupMode,
  argv: readonly string[],
  spawnOptions: SpawnSyncOptions = {},
): SpawnSyncReturns<string> {
  const worldOptions = typeof options === 'string' ? { cgroups: options } : options;
  const [file, ...args] = worldCommand(worldOptions, argv);
  const { stdio = 'pipe', env = process.env, ...rest } = spawnOptions;
  const streams = typeof stdio === 'string' ? [stdio, stdio, stdio] : stdio.slice(0, 3);
  const mode = worldOptions.cgroups ?? 'host';
  const result = spawnSync(file!, args, {
    maxBuffer: 1 << 28,
    ...rest,
    env: { ...env, [INSIDE]: mode, RUNTS_TEST_TOKEN: TOKEN },
    stdio: [...streams, 'pipe'] as SpawnSyncOptions['stdio'],
    encoding: 'utf8',
  });
  const said = result.output[3]?.trim();
  const reason =
    result.error?.message ??
    (said === MADE ? undefined : said || 'unshare(1) fails, which needs CAP_SYS_ADMIN');
  if (reason !== undefined) throw new Error(`no private world: ${reason}`);
  return result;
}

/**
 * Puts the tests of a file into a private world: to be called once, at its top, before the first test. The file then
 * runs again inside, and this call does not return outside.
 *
 *     const world = privateWorld();
 *     test('…', { skip: world.skip }, () => { … });
 *
 * Where no world can be made (not root, no rights, no busybox) it returns, with the reason.
 */
export function privateWorld(options: WorldOptions = {}): World {
  if (process.env[INSIDE] === (options.cgroups ?? 'host')) return { skip: false };
  const skip = missing('unshare', 'mount', 'umount', 'setsid');
  if (skip !== false) return { skip };
  let status: number | null;
  try {
    const argv = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    ({ status } = inWorld(options, argv, { stdio: 'inherit' }));
  } catch (error) {
    return { skip: error instanceof Error ? error.message : String(error) };
  }
  process.exit(status ?? 1);
}

/** Whether the v2 hierarchy is the only one, as in `v2` worlds and on most hosts. */
export function isPureV2(): boolean {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  return mounts.includes(' - cgroup2 ') && !mounts.includes(' - cgroup ');
}
