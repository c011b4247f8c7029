// @ts-check
/**
 * A sample bundle without busybox: the host's own programs and libraries, bind-mounted read-only.
 *
 * The variant is written to dist/bundles/NAME; the bundle in the repository stays as it is.
 *
 * @module
 */
import {
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, isAbsolute, join } from 'node:path';
import { root } from './lib.mjs';
import { giveToRootInside, makeSkeleton, removeTree } from './rootfs-skeleton.mjs';

/** Where distributions keep programs and libraries (/nix and /gnu hold them in NixOS and Guix). */
const HOST_FOLDERS = [
  '/usr',
  '/bin',
  '/sbin',
  '/lib',
  '/lib32',
  '/lib64',
  '/etc/alternatives',
  '/nix',
  '/gnu',
];

/** Where the variant of a bundle is. @param {string} bundle */
export function hostBundlePath(bundle) {
  return join(root, 'dist/bundles', basename(bundle));
}

/** Makes the variant anew. @param {string} bundle */
export function makeHostBundle(bundle) {
  const variant = hostBundlePath(bundle);
  removeTree(variant);
  const rootfs = join(variant, 'rootfs');
  makeSkeleton(rootfs, bundle);
  // The loader finds libraries outside of its built-in folders by this file.
  if (existsSync('/etc/ld.so.cache')) copyFileSync('/etc/ld.so.cache', join(rootfs, 'etc/ld.so.cache'));

  const config = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'));
  config.root.path = 'rootfs';
  for (const mount of config.mounts) {
    const isBind = mount.options?.some(
      (/** @type {string} */ option) => option === 'bind' || option === 'rbind',
    );
    if (isBind && !isAbsolute(mount.source)) {
      cpSync(join(bundle, mount.source), join(variant, mount.source), { recursive: true });
    }
  }
  for (const folder of HOST_FOLDERS) {
    if (!existsSync(folder)) continue;
    if (lstatSync(folder).isSymbolicLink()) {
      // /bin -> usr/bin on a merged system: the same link, which finds the same folder inside.
      rmSync(join(rootfs, folder), { recursive: true, force: true });
      symlinkSync(readlinkSync(folder), join(rootfs, folder));
    } else {
      mkdirSync(join(rootfs, folder), { recursive: true });
      config.mounts.push({
        destination: folder,
        type: 'none',
        source: folder,
        options: ['rbind', 'ro', 'nosuid', 'nodev'],
      });
    }
  }
  writeFileSync(join(variant, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
  giveToRootInside(rootfs, config);
}
