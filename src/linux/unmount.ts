/**
 * The mounts of a container without a mount namespace: they are the host's, and go when it is deleted.
 *
 * @module
 */

import { MNT } from '../../ffi/constants/mount.ts';
import { syscall } from '../../ffi/local.ts';
import { mountsAt } from './mountinfo.ts';

/**
 * Takes away what lies on a root beyond the mounts that were there before, with all that is mounted in it. Detached
 * rather than unmounted, as one that is in use could not be.
 *
 * @throws RuntsError E_SYSCALL
 */
export function unmountRoot(rootfs: string, before: number): void {
  for (let now = mountsAt(rootfs); now > before; now--) {
    syscall('umount2', [rootfs, MNT.DETACH | MNT.NOFOLLOW], {
      what: 'cannot unmount the root of the container',
      hint: `unmount it by hand: umount -l ${rootfs}`,
    });
  }
}
