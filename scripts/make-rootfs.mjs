// @ts-check
/**
 * Makes the root file systems of the sample bundles: `node scripts/make-rootfs.mjs [BUNDLE...]` (all of them).
 *
 * A root file system is the host's static busybox with a link for each of its programs, a few files in /etc, and
 * the bundle's own `overlay/`. Made in place, so that a container that runs from it is not disturbed.
 *
 * @module
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lchownSync,
  lstatSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { makeHostBundle } from './host-userland.mjs';
import { capture, isRoot, main, root, ScriptError } from './lib.mjs';
import { findBusybox } from './prerequisites.mjs';
import { makeSkeleton } from './rootfs-skeleton.mjs';

/** The names of the sample bundles. */
export function sampleBundles() {
  return readdirSync(join(root, 'bundles'))
    .filter((name) => existsSync(join(root, 'bundles', name, 'config.json')))
    .sort();
}

/**
 * Puts busybox and a link for each of its programs in.
 *
 * @param {string} rootfs
 * @param {string} busybox path of a static busybox
 */
function addBusybox(rootfs, busybox) {
  const target = join(rootfs, 'bin/busybox');
  if (!existsSync(target) || statSync(target).size !== statSync(busybox).size) {
    // By rename: a running busybox can't be written to.
    copyFileSync(busybox, `${target}.new`);
    chmodSync(`${target}.new`, 0o755);
    renameSync(`${target}.new`, target);
  }
  const programs = capture(busybox, ['--list']);
  if (programs === undefined) throw new ScriptError(`${busybox} --list failed`);
  const existing = new Set(readdirSync(join(rootfs, 'bin')));
  for (const name of programs.split('\n')) {
    if (!existing.has(name)) symlinkSync('busybox', join(rootfs, 'bin', name));
  }
}

/**
 * Gives every file to one owner: in a bundle with a user namespace, the host's id that is root inside.
 *
 * @param {string} path
 * @param {number} uid
 * @param {number} gid
 */
function give(path, uid, gid) {
  const stat = lstatSync(path);
  if (stat.uid !== uid || stat.gid !== gid) {
    lchownSync(path, uid, gid);
    // chown clears the set-id bits, and on some file systems the sticky bit.
    if (!stat.isSymbolicLink()) chmodSync(path, stat.mode & 0o7777);
  }
  if (!stat.isDirectory()) return;
  for (const name of readdirSync(path)) give(join(path, name), uid, gid);
}

/** @param {{ containerID: number, hostID: number }[] | undefined} mappings */
function hostIdOfRoot(mappings) {
  return mappings?.find((mapping) => mapping.containerID === 0)?.hostID;
}

/**
 * Makes a sample bundle ready to run.
 *
 * @param {string} bundle folder with a config.json
 * @returns {string} the bundle to run: this one, or where the host has no static busybox a variant of it that
 *   uses the host's own programs
 */
export function makeRootfs(bundle) {
  const busybox = findBusybox();
  if (busybox === undefined) return makeHostBundle(bundle);

  const rootfs = join(bundle, 'rootfs');
  makeSkeleton(rootfs, bundle);
  addBusybox(rootfs, busybox);
  const { linux } = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'));
  const uid = hostIdOfRoot(linux?.uidMappings) ?? 0;
  const gid = hostIdOfRoot(linux?.gidMappings) ?? 0;
  if (isRoot) give(rootfs, uid, gid);
  return bundle;
}

await main(import.meta.url, () => {
  const given = process.argv.slice(2);
  const bundles =
    given.length > 0
      ? given.map((path) => resolve(path))
      : sampleBundles().map((name) => join(root, 'bundles', name));
  for (const bundle of bundles) process.stdout.write(`${makeRootfs(bundle)}\n`);
});
