// @ts-check
/**
 * Makes the root file systems of the sample bundles: `node scripts/make-rootfs.mjs [BUNDLE...]` (all of them).
 *
 * A root file system is the host's static busybox with a link for each of its programs, a few files in /etc, and
 * the bundle's own `overlay/`. It is made anew when one of these has changed, else left as containers left it.
 *
 * @module
 */
import { chmodSync, copyFileSync, existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { hostBundlePath, makeHostBundle } from './host-userland.mjs';
import { filesBelow, recordedSteps } from './incremental.mjs';
import { capture, isRoot, main, root, ScriptError } from './lib.mjs';
import { findBusybox } from './prerequisites.mjs';
import { giveToRootInside, makeSkeleton, removeTree } from './rootfs-skeleton.mjs';

/** The names of the sample bundles. */
export function sampleBundles() {
  return readdirSync(join(root, 'bundles'))
    .filter((name) => existsSync(join(root, 'bundles', name, 'config.json')))
    .sort();
}

/**
 * Makes a root file system of busybox, anew: a container may have left anything in the one before, links to files of
 * the host among it.
 *
 * @param {string} bundle
 * @param {string} busybox path of a static busybox
 */
function makeBusyboxRootfs(bundle, busybox) {
  const rootfs = join(bundle, 'rootfs');
  removeTree(rootfs);
  makeSkeleton(rootfs, bundle);
  copyFileSync(busybox, join(rootfs, 'bin/busybox'));
  chmodSync(join(rootfs, 'bin/busybox'), 0o755);
  const programs = capture(busybox, ['--list']);
  if (programs === undefined) throw new ScriptError(`${busybox} --list failed`);
  for (const name of programs.split('\n')) {
    if (name !== 'busybox') symlinkSync('busybox', join(rootfs, 'bin', name));
  }
  giveToRootInside(rootfs, JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8')));
}

/**
 * Makes a sample bundle ready to run, unless it is.
 *
 * @param {string} bundle folder with a config.json, absolute
 * @returns {Promise<string>} the bundle to run: this one, or where the host has no static busybox a variant of it
 *   that uses the host's own programs
 */
export async function makeRootfs(bundle) {
  const busybox = findBusybox();
  const ready = busybox === undefined ? hostBundlePath(bundle) : bundle;
  const inputs = [
    ...[join(root, 'bundles/overlay'), join(bundle, 'overlay')].flatMap((folder) => filesBelow(folder, /./)),
    ...['make-rootfs', 'rootfs-skeleton', 'host-userland'].map((name) => join(root, `scripts/${name}.mjs`)),
    join(bundle, 'config.json'),
    busybox ?? '/usr',
  ];
  await recordedSteps(join(root, 'dist/.bundles.json'))(
    relative(root, ready),
    inputs,
    {
      outputs: [join(ready, 'rootfs')],
      run: () => (busybox === undefined ? makeHostBundle(bundle) : makeBusyboxRootfs(bundle, busybox)),
    },
    { isRoot },
  );
  return ready;
}

await main(import.meta.url, async () => {
  const given = process.argv.slice(2);
  const bundles =
    given.length > 0
      ? given.map((path) => resolve(path))
      : sampleBundles().map((name) => join(root, 'bundles', name));
  for (const bundle of bundles) process.stdout.write(`${await makeRootfs(bundle)}\n`);
});
