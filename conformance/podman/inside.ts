/**
 * A cgroup namespace for engines whose cgroups' names can't be chosen, so that nothing of theirs stays on the host.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { TOKEN } from '../../test/harness/temporary.ts';

/** $0: the cgroup, then the command. It works in a leaf: a cgroup with processes can't have controllers below it. */
const SETUP = `
echo $$ > "$0/cgroup.procs" && exec unshare --cgroup --mount sh -c '
umount /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup &&
mkdir /sys/fs/cgroup/cases && echo $$ > /sys/fs/cgroup/cases/cgroup.procs && exec "$@"' sh "$@"
`;

const MARK = 'RUNTS_CGROUP_NAMESPACE';

/**
 * In the private world on a host: runs this process's command line again, in a cgroup of its own that is its
 * hierarchy's root.
 *
 * @param args - of the part
 * @returns the exit code; undefined elsewhere, and in the process that was run
 */
export function inCgroupNamespace(args: readonly string[]): number | undefined {
  if (!args.includes('--inside') || args.includes('--vm') || process.env[MARK] !== undefined)
    return undefined;
  const folder = `/sys/fs/cgroup/${TOKEN}`;
  mkdirSync(folder, { recursive: true });
  const argv = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const { status } = spawnSync('sh', ['-c', SETUP, folder, ...argv], {
    stdio: 'inherit',
    env: { ...process.env, [MARK]: '1' },
  });
  return status ?? 1;
}
