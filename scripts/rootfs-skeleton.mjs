// @ts-check
/**
 * What every sample root file system has, whatever its programs are: folders, /etc, an owner, and what
 * lies in bundles/overlay/ and in the bundle's own `overlay/`.
 *
 * @module
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { isRoot, root, ScriptError } from './lib.mjs';

const FOLDERS = 'bin dev etc proc root run sbin srv sys tmp usr/bin usr/sbin var/log'.split(' ');

/** @type {Record<string, string>} */
const ETC = {
  passwd: `root:x:0:0:root:/root:/bin/sh
user:x:1000:1000:user:/tmp:/bin/sh
nobody:x:65534:65534:nobody:/:/bin/false
`,
  group: 'root:x:0:\ntty:x:5:\nuser:x:1000:\nnobody:x:65534:\n',
  hosts: '127.0.0.1\tlocalhost\n::1\tlocalhost\n',
};

/**
 * Removes a folder that containers ran in. Not through a mount that somebody left in it: behind that may be the host.
 *
 * @param {string} folder absolute; may be missing
 * @throws {ScriptError} when something is mounted in it
 */
export function removeTree(folder) {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  // proc_pid_mountinfo(5): the fifth field is the mount point; what is special in it is escaped, as in \040.
  const points = mounts.map((line) =>
    (line.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_, octal) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    ),
  );
  const inside = points.find((point) => `${point}/`.startsWith(`${folder}/`));
  if (inside !== undefined) throw new ScriptError(`${inside} is mounted: unmount it first`);
  rmSync(folder, { recursive: true, force: true });
}

/**
 * @param {string} rootfs path that doesn't exist yet
 * @param {string} bundle folder whose `overlay/`, if any, is laid over it last
 */
export function makeSkeleton(rootfs, bundle) {
  for (const folder of FOLDERS) mkdirSync(join(rootfs, folder), { recursive: true, mode: 0o755 });
  chmodSync(join(rootfs, 'tmp'), 0o1777);
  for (const [name, content] of Object.entries(ETC)) writeFileSync(join(rootfs, 'etc', name), content);
  for (const overlay of [join(root, 'bundles/overlay'), join(bundle, 'overlay')]) {
    if (existsSync(overlay)) cpSync(overlay, rootfs, { recursive: true });
  }
}

/**
 * Gives a tree to one owner and makes it readable for all: the umask of whoever checked it out has no say.
 *
 * @param {string} path
 * @param {{ uid: number, gid: number } | undefined} owner
 */
function settle(path, owner) {
  const stat = lstatSync(path);
  if (owner !== undefined) lchownSync(path, owner.uid, owner.gid);
  if (stat.isSymbolicLink()) return;
  // chown clears the set-id bits, and on some file systems the sticky bit.
  chmodSync(path, (stat.mode & 0o7777) | 0o444 | (stat.mode & 0o100 ? 0o111 : 0));
  if (!stat.isDirectory()) return;
  for (const name of readdirSync(path)) settle(join(path, name), owner);
}

/** @param {{ containerID: number, hostID: number }[] | undefined} mappings */
function hostIdOfRoot(mappings) {
  return mappings?.find((mapping) => mapping.containerID === 0)?.hostID ?? 0;
}

/**
 * Makes the container's root the owner of its root file system. Only root can; for others it stays theirs.
 *
 * @param {string} rootfs
 * @param {{ linux?: Record<'uidMappings' | 'gidMappings', { containerID: number, hostID: number }[] | undefined> }} config
 */
export function giveToRootInside(rootfs, { linux }) {
  const owner = { uid: hostIdOfRoot(linux?.uidMappings), gid: hostIdOfRoot(linux?.gidMappings) };
  settle(rootfs, isRoot ? owner : undefined);
}
