import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cgroup2InMountinfo, cgroupMountpoint } from './facts.ts';

const MOUNTINFO = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:25 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755
31 30 0:26 / /odd/cgroup2\\040place rw,relatime shared:10 master:2 - cgroup2 cgroup2 rw,nsdelegate
32 30 0:27 / /second rw - cgroup2 none rw
`;

test('mountinfo: the first cgroup2 mount, with its escapes undone', () => {
  assert.equal(cgroup2InMountinfo(MOUNTINFO), '/odd/cgroup2 place');
  assert.equal(cgroup2InMountinfo(MOUNTINFO.replaceAll('- cgroup2', '- cgroup')), undefined);
  assert.equal(cgroup2InMountinfo(''), undefined);
});

test('a source that is called cgroup2 is no cgroup2', () => {
  assert.equal(cgroup2InMountinfo('1 2 0:1 / /x rw - tmpfs cgroup2 rw\n'), undefined);
});

test('the usual places are asked in turn, a folder of another type is not taken', (t) => {
  let real: string;
  try {
    real = cgroupMountpoint();
  } catch (error) {
    t.skip(String(error));
    return;
  }
  assert.equal(cgroupMountpoint(['/no/such/place', '/', real]), real);
});
