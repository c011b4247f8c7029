// @ts-check
/**
 * What every sample root file system has, whatever its programs are: folders, /etc, and what
 * lies in bundles/overlay/ and in the bundle's own `overlay/`.
 *
 * @module
 */
import { chmodSync, cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './lib.mjs';

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
 * @param {string} rootfs created if missing
 * @param {string} bundle folder whose `overlay/`, if any, is laid over it last
 */
export function makeSkeleton(rootfs, bundle) {
  for (const folder of FOLDERS) {
    const path = join(rootfs, folder);
    // Not simply mkdir: in a host's userland variant /bin may be a link that leads nowhere until it runs.
    if (existsSync(path)) continue;
    mkdirSync(path, { recursive: true, mode: 0o755 });
  }
  chmodSync(join(rootfs, 'tmp'), 0o1777);
  for (const [name, content] of Object.entries(ETC)) writeFileSync(join(rootfs, 'etc', name), content);
  for (const overlay of [join(root, 'bundles/overlay'), join(bundle, 'overlay')]) {
    if (existsSync(overlay)) cpSync(overlay, rootfs, { recursive: true });
  }
}
