import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kernelMounts, longestPrefix } from './mountinfo.ts';

const MOUNTINFO = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /proc rw,nosuid shared:12 - proc proc rw
24 23 0:21 /sys /proc/sys ro - proc proc rw
25 22 0:22 / /sys ro - sysfs sysfs rw
26 22 8:2 / /var rw - ext4 /dev/sda2 rw
27 26 8:2 / /var/lib/with\\040space rw - ext4 /dev/sda2 rw
28 26 0:21 / /var/lib/chroot/proc rw - proc proc rw
29 26 0:21 / /var/lib/box/rootfs/proc rw - proc proc rw
30 22 0:40 / /srv rw master:3 propagate_from:2 - tmpfs proc rw
`;

test('the mount that holds a path', () => {
  for (const [path, point] of [
    ['/', '/'],
    ['/variable', '/'],
    ['/var', '/var'],
    ['/var/lib/x', '/var'],
    ['/var/lib/with space/x', '/var/lib/with space'],
    ['/proc/sys', '/proc/sys'],
  ] as const)
    assert.equal(longestPrefix(MOUNTINFO, path), point);
});

test('whole proc and sysfs mounts outside of a root, the latest first', () => {
  assert.deepEqual(kernelMounts('/var/lib/box/rootfs', MOUNTINFO), ['/var/lib/chroot/proc', '/sys', '/proc']);
});
