/**
 * What the machine has: busybox, runts, and the cases with their bundles, all in the initramfs.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { baseConfig } from '../../test/harness/config.ts';
import { type CpioEntry, cpioArchive } from '../vm/cpio.ts';
import type { Case } from './cases.ts';
import type { Arm64Files } from './packages.ts';

/** Before a result in the console's lines: the case's number, its exit status and its output in base64. */
export const MARK = '@@';

/** pivot_root can't replace the initramfs itself, pivot_root(2): everything moves to a tmpfs first. */
const INIT = `#!/bin/busybox sh
/bin/busybox mount -t tmpfs -o size=700m,mode=755 tmpfs /new
/bin/busybox cp -a /bin /lib /cases /init2 /new/
/bin/busybox mkdir /new/proc /new/sys /new/dev /new/tmp /new/run /new/etc
exec /bin/busybox switch_root /new /init2
`;

/** Of the shell, so that a bundle's rootfs is a copy of what is here. */
const INIT2 = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs run /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo root:x:0:0:root:/:/bin/sh > /etc/passwd
exec > /dev/console 2>&1 < /dev/null
mkdir -p /rootfs/bin /rootfs/etc /rootfs/tmp /rootfs/proc /rootfs/dev /rootfs/sys
cp -a /bin/busybox /rootfs/bin/
/rootfs/bin/busybox --install -s /rootfs/bin
for name in /rootfs/bin/*; do [ -L "$name" ] && ln -sf busybox "$name"; done
cp /etc/passwd /rootfs/etc/
for case in /cases/*; do
  cp -a /rootfs "$case/rootfs"
  (cd "$case" && sh -e ./script) > /tmp/output 2>&1
  echo "${MARK} \${case##*/} $? $(base64 -w 0 /tmp/output)"
  rm -r "$case/rootfs"
done
poweroff -f
`;

/** @param binary path of runts for arm64 */
export function arm64Initramfs(files: Arm64Files, binary: string, cases: readonly Case[]): Buffer {
  const folders = ['bin', 'lib', 'lib/aarch64-linux-gnu', 'dev', 'new', 'cases'];
  const entries: CpioEntry[] = folders.map((path) => ({ path }));
  const program = (path: string, data: Uint8Array) => entries.push({ path, data, mode: 0o755 });
  const text = (path: string, content: string) => program(path, Buffer.from(content));
  text('init', INIT);
  text('init2', INIT2);
  program('bin/busybox', files.busybox);
  program('bin/runts', readFileSync(binary));
  for (const [name, data] of Object.entries(files.libraries)) {
    program(name.startsWith('ld-') ? `lib/${name}` : `lib/aarch64-linux-gnu/${name}`, data);
  }
  cases.forEach(({ script, config }, i) => {
    const folder = `cases/${String(i).padStart(3, '0')}`;
    const spec = baseConfig();
    config?.(spec);
    entries.push({ path: folder });
    text(`${folder}/script`, `${script}\n`);
    text(`${folder}/config.json`, JSON.stringify(spec));
  });
  return cpioArchive(entries);
}
