import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MOUNT_ATTR, MS } from '../../ffi/constants/index.ts';
import { joinOptions, separateOptions } from './mount-data.ts';
import { knownMountOptions, parseMountOptions } from './mount-options.ts';

const ATIME = MOUNT_ATTR._ATIME;

test('every attribute exists for one mount and for a tree', () => {
  const cases: Record<string, [set: number, clear: number]> = {
    ro: [MOUNT_ATTR.RDONLY, 0],
    rw: [0, MOUNT_ATTR.RDONLY],
    nosuid: [MOUNT_ATTR.NOSUID, 0],
    suid: [0, MOUNT_ATTR.NOSUID],
    nodev: [MOUNT_ATTR.NODEV, 0],
    dev: [0, MOUNT_ATTR.NODEV],
    noexec: [MOUNT_ATTR.NOEXEC, 0],
    exec: [0, MOUNT_ATTR.NOEXEC],
    nodiratime: [MOUNT_ATTR.NODIRATIME, 0],
    diratime: [0, MOUNT_ATTR.NODIRATIME],
    relatime: [0, ATIME],
    norelatime: [MOUNT_ATTR.STRICTATIME, ATIME],
    noatime: [MOUNT_ATTR.NOATIME, ATIME],
    atime: [0, ATIME],
    strictatime: [MOUNT_ATTR.STRICTATIME, ATIME],
    nostrictatime: [0, ATIME],
    nosymfollow: [MOUNT_ATTR.NOSYMFOLLOW, 0],
    symfollow: [0, MOUNT_ATTR.NOSYMFOLLOW],
  };
  for (const [name, [set, clear]] of Object.entries(cases)) {
    const one = parseMountOptions([name]);
    assert.deepEqual([one.set, one.clear, one.recursiveSet, one.recursiveClear], [set, clear, 0, 0], name);
    const tree = parseMountOptions([`r${name}`]);
    const of = [tree.set, tree.clear, tree.recursiveSet, tree.recursiveClear];
    assert.deepEqual(of, [0, 0, set, clear], `r${name}`);
    assert.deepEqual([...one.data, ...tree.data], []);
  }
});

test('of two options that contradict each other the later one counts', () => {
  const { set, clear } = parseMountOptions(['ro', 'nosuid', 'rw', 'noatime', 'strictatime']);
  assert.equal(set, MOUNT_ATTR.NOSUID | MOUNT_ATTR.STRICTATIME);
  assert.equal(clear & MOUNT_ATTR.RDONLY, MOUNT_ATTR.RDONLY);
  assert.equal(parseMountOptions(['sync', 'async', 'silent']).flags, MS.SILENT);
  assert.equal(parseMountOptions(['rbind', 'bind']).bind, 'bind');
});

test('propagation is kept in order', () => {
  assert.deepEqual(
    parseMountOptions(['rslave', 'shared']).propagation.map(({ flag, recursive }) => [flag, recursive]),
    [
      [MS.SLAVE, true],
      [MS.SHARED, false],
    ],
  );
});

test('what is no option of a mount is data for the file system, names of objects’ own included', () => {
  const options = [
    'size=64k',
    'newinstance',
    'constructor',
    'toString=1',
    'rsize=8192',
    'r',
    'context="a,b"',
  ];
  const { data, idmap } = parseMountOptions(options);
  assert.equal(joinOptions(data), options.join(','));
  assert.equal(idmap, 'no');
});

test('id maps, copying up, remount', () => {
  assert.equal(parseMountOptions(['idmap']).idmap, 'mount');
  assert.equal(parseMountOptions(['ridmap']).idmap, 'tree');
  assert.equal(parseMountOptions(['idmap=uids=0-1-1;gids=0-1-1']).idmapText, 'uids=0-1-1;gids=0-1-1');
  const { copyUp, remount, data } = parseMountOptions(['tmpcopyup', 'remount', 'defaults', '']);
  assert.deepEqual([copyUp, remount, data], [true, true, []]);
});

test('the options that `features` tells are all understood', () => {
  const known = knownMountOptions();
  assert.deepEqual(known, [...new Set(known)].sort());
  assert.deepEqual(parseMountOptions(known).data, []);
  for (const name of [
    'rro',
    'rnosymfollow',
    'rbind',
    'idmap',
    'ridmap',
    'tmpcopyup',
    'runbindable',
    'lazytime',
  ])
    assert.ok(known.includes(name), name);
});

test('options one by one for fsconfig', () => {
  const separated = (...options: string[]): string[] =>
    separateOptions(parseMountOptions(options).data).map(({ key, value }) => `${key}|${value}`);
  assert.deepEqual(separated('size=64k,mode=755', 'noswap'), ['size|64k', 'mode|755', 'noswap|null']);
  assert.deepEqual(separated('mpol=bind:0,2', 'uid=1'), ['mpol|bind:0,2', 'uid|1']);
  assert.deepEqual(separated('context="u:r:t:s0:c1,c2"', 'uid=1'), ['context|u:r:t:s0:c1,c2', 'uid|1']);
  assert.deepEqual(separated('lowerdir=/a:/b', 'upperdir=/c'), ['lowerdir|/a:/b', 'upperdir|/c']);
  const long = Array.from({ length: 10 }, (_, i) => `/${'x'.repeat(30)}${i}`);
  assert.deepEqual(separated(`lowerdir=${long.join(':')}:/a\\:b`), [
    ...long.map((layer) => `lowerdir+|${layer}`),
    'lowerdir+|/a:b',
  ]);
});
