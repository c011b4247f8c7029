import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from '../linux/mountinfo.ts';
import { externalMounts, restoredMounts } from './mounts.ts';

const HOST = parse(`22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
23 22 0:5 / /dev rw shared:2 - devtmpfs udev rw
24 22 0:21 / /proc rw - proc proc rw
25 22 0:22 / /sys rw - sysfs sysfs rw
26 25 0:23 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw
27 22 0:24 / /run rw - tmpfs tmpfs rw
28 22 0:25 / /var/lib/lxcfs rw - fuse.lxcfs lxcfs rw
`);

const line = (id: number, rest: string): string => `${id} 90 ${rest}\n`;

test('what comes from the host is external, what the container made itself is not', () => {
  const container = parse(
    line(100, '8:1 /srv/web/rootfs / rw master:1 - ext4 /dev/sda1 rw') +
      // its own
      line(101, '0:50 / /proc rw - proc proc rw') +
      line(102, '0:51 / /dev rw - tmpfs tmpfs rw') +
      line(103, '0:52 / /dev/pts rw - devpts devpts rw') +
      line(104, '0:50 /sys /proc/sys ro - proc proc rw') +
      line(105, '0:53 / /proc/acpi ro - tmpfs tmpfs ro') +
      line(106, '8:1 /srv/web/rootfs/etc /etc ro - ext4 /dev/sda1 rw') +
      // of a namespace that it shares
      line(107, '0:22 / /sys ro - sysfs sysfs ro') +
      line(108, '0:23 /web /sys/fs/cgroup ro - cgroup2 cgroup ro') +
      // the host's
      line(109, '8:1 /srv/data /data rw - ext4 /dev/sda1 rw') +
      line(110, '8:1 /srv/web/rootfs-2 /two rw - ext4 /dev/sda1 rw') +
      line(111, '0:24 /my\\040socket /run/x rw - tmpfs tmpfs rw') +
      line(112, '0:25 /proc/meminfo /proc/meminfo rw - fuse.lxcfs lxcfs rw') +
      line(113, '0:5 /null /proc/kcore rw - devtmpfs udev rw') +
      line(114, '0:5 /fuse /dev/fuse rw - devtmpfs udev rw'),
  );
  assert.deepEqual(externalMounts(container, HOST), [
    { key: '/data', val: '/data' },
    { key: '/two', val: '/two' },
    { key: '/run/x', val: '/run/x' },
    { key: '/proc/meminfo', val: '/proc/meminfo' },
    { key: '/proc/kcore', val: '/dev/null' },
    { key: '/dev/fuse', val: '/dev/fuse' },
  ]);
});

test('an overlay is a device of its own', () => {
  const container = parse(
    line(100, '0:60 / / rw - overlay overlay rw') + line(101, '0:60 /usr /usr ro - overlay overlay rw'),
  );
  const host = parse('30 22 0:60 / /var/lib/x/merged rw - overlay overlay rw\n');
  assert.deepEqual(externalMounts(container, host), []);
});

test('where they come from is the config’s', () => {
  const restored = restoredMounts({
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/data/', type: 'bind', source: '/srv/new', options: ['rbind'] },
      { destination: '/data/own', type: 'none', source: 'own', options: ['bind', 'ro'] },
      { destination: '/var/run/x', type: 'bind', source: '/run/x' },
    ],
    devices: ['/dev/fuse'],
    bundle: '/srv/bundle',
    names: ['/data/own/deep', '/data/disk', '/run/x', '/elsewhere'],
    resolve: (path) => path.replace(/^\/var\/run/, '/run').replace(/\/$/, ''),
  });
  assert.deepEqual(Object.fromEntries(restored.map(({ key, val }) => [key, val])), {
    '/dev/null': '/dev/null',
    '/dev/fuse': '/dev/fuse',
    '/data': '/srv/new',
    '/data/own': '/srv/bundle/own',
    '/var/run/x': '/run/x',
    '/run/x': '/run/x',
    '/data/own/deep': '/srv/bundle/own/deep',
    '/data/disk': '/srv/new/disk',
  });
});
