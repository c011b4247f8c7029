/**
 * Where the VM's parts lie. What is built or downloaded is below dist/vm, outside version control.
 *
 * @module
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));

/** The sources of what runs inside: init.c, the units, the list of masked units. */
export const guestFolder = join(here, 'guest');

/** Everything built. */
export const vmFolder = join(here, '../../dist/vm');

/** The kernel package, unpacked, with `modules.dep` and the like made by depmod. */
export const kernelFolder = join(vmFolder, 'kernel');

/** The uncompressed kernel. QEMU starts it by its PVH note, so that no decompressor runs in emulation. */
export const kernelImage = join(vmFolder, 'vmlinux');

export const initramfs = join(vmFolder, 'initramfs.cpio');

/** Saved machines: `KEY.state` and `KEY.ram`. */
export const snapshotFolder = join(vmFolder, 'snapshots');

/** Unpacked Debian packages that only a VM sees, a folder for each set. */
export const layerFolder = join(vmFolder, 'layers');

/** Downloaded .deb files. */
export const packageFolder = join(vmFolder, 'packages');
