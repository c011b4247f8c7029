/**
 * A private world for engines: those of the tests, in which /etc, /var and /opt can be written too.
 *
 * @module
 */

/**
 * $1...: the command.
 *
 * What is written lands in a tmpfs. Image stores need a file system that may be an overlay's layer: a tmpfs each.
 */
const SETUP = `
set -e
layers=/run/engine-layers
mkdir -m 755 $layers && mount -t tmpfs -o mode=755 tmpfs $layers
for folder in etc var opt; do
  mkdir -p $layers/$folder $layers/.$folder
  mount -t overlay -o lowerdir=/$folder,upperdir=$layers/$folder,workdir=$layers/.$folder overlay /$folder
done
for store in containerd docker containers; do
  mkdir -p /var/lib/$store && mount -t tmpfs -o mode=711 tmpfs /var/lib/$store
done
ip link set lo up
exec "$@"
`;

/** The command line that does so and becomes the command. To be run in a world of test/harness/world.ts. */
export function engineCommand(argv: readonly string[]): string[] {
  return ['sh', '-c', SETUP, 'sh', ...argv];
}
