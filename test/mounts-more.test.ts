/** Id-mapped mounts, tmpcopyup, remount, long options, and what goes wrong with them. */

import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Mount } from '../src/spec/types.ts';
import { privateWorld, runtimes, type TestSpec, temporaryFolder } from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { look, lookAt, testsOf } from './support/inside.ts';
import { mountAt, parseMountinfo } from './support/status.ts';

const { skip } = privateWorld();

/** A folder with files of the ids 0 and 1000. */
function owned(t: Parameters<typeof temporaryFolder>[0]): string {
  const folder = temporaryFolder(t);
  chmodSync(folder, 0o755);
  for (const id of [0, 1000]) {
    writeFileSync(join(folder, String(id)), '');
    chownSync(join(folder, String(id)), id, id);
  }
  return folder;
}

const SHIFT = [{ containerID: 0, hostID: 5000, size: 2000 }];

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('id-mapped mounts, with mappings of their own', (t) => {
    const source = owned(t);
    const swap = [
      { containerID: 0, hostID: 1000, size: 1 },
      { containerID: 1000, hostID: 0, size: 1 },
    ];
    const mounts: Mount[] = [
      { destination: '/plain', source, options: ['bind'] },
      { destination: '/shift', source, options: ['bind', 'idmap'], uidMappings: SHIFT, gidMappings: SHIFT },
      { destination: '/tree', source, options: ['rbind', 'ridmap'], uidMappings: SHIFT, gidMappings: SHIFT },
      { destination: '/unsaid', source, options: ['bind'], uidMappings: swap, gidMappings: swap },
      { destination: '/crun', source, options: ['bind', 'idmap=uids=0-7000-2000;gids=0-8000-1#1000-9000-1'] },
    ];
    const seen = look(
      t,
      runtime,
      { ids: "stat -c '%n %u %g' /plain/* /shift/* /tree/* /unsaid/* /crun/*", made: 'touch /unsaid/new' },
      { own: () => {}, config: (spec) => void spec.mounts.push(...mounts) },
    );
    assert.deepEqual(seen.ids!.split('\n'), [
      '/plain/0 0 0',
      '/plain/1000 1000 1000',
      '/shift/0 5000 5000',
      '/shift/1000 6000 6000',
      '/tree/0 5000 5000',
      '/tree/1000 6000 6000',
      '/unsaid/0 1000 1000',
      '/unsaid/1000 0 0',
      '/crun/0 7000 8000',
      '/crun/1000 8000 9000',
    ]);
    assert.equal(seen.made, '');
  });

  it('id-mapped mounts that are no good are an error', (t) => {
    const cases: [Partial<Mount>, RegExp][] = [
      [
        { options: ['bind', 'idmap'] },
        /mounts\[6\]\.options: idmap without mappings.*give mounts\[6\]\.uidMappings/,
      ],
      [{ options: ['bind', 'idmap=uids=0-1-1'] }, /mounts\[6\]\.options: .*both uids= and gids= are needed/],
      [{ options: ['bind', 'idmap=uids=0-1;gids=0-1-1'] }, /mounts\[6\]\.options: .*"0-1" is no ID-ID-COUNT/],
      [{ options: ['bind', 'idmap=uids=@0-1-1;gids=0-1-1'] }, /mounts\[6\]\.options: .*is not within/],
      [
        { type: 'tmpfs', source: 'x', options: ['idmap'], uidMappings: SHIFT, gidMappings: SHIFT },
        /mounts\[6\]\.options: id-mapped mounts are only supported for bind mounts/,
      ],
      [
        { source: '/proc', options: ['bind', 'idmap'], uidMappings: SHIFT, gidMappings: SHIFT },
        /mounts\[6\]\.uidMappings: mount_setattr\(.*EINVAL.*can’t map ids/,
      ],
    ];
    for (const [entry, pattern] of cases) {
      const result = lookAt(t, runtime, 'true', {
        globals: JSON_LOG,
        config: (spec) => void spec.mounts.push({ destination: '/x', source: '/usr', ...entry }),
        own: () => {},
      });
      assert.match(failureOf(result).msg, pattern);
    }
  });

  it('tmpcopyup: the content of the folder, in memory', (t) => {
    const seen = look(
      t,
      runtime,
      {
        mounts: 'cat /proc/self/mountinfo',
        tree: "cd /data; find . | sort | xargs stat -c '%n %F %a %u:%g %s'",
        text: 'cat /data/deep/er/file; readlink /data/link; cat "/data/sp ace\nnl"',
        time: 'stat -c %Y /data/deep/er/file /data/deep',
        big: 'cmp /data/big /orig && echo same',
        written: 'echo more > /data/new; rm -r /data/deep',
        made: 'stat -c %a /missing; ls -A /missing',
      },
      {
        own: (rootfs) => {
          const data = join(rootfs, 'data');
          mkdirSync(join(data, 'deep/er'), { recursive: true });
          writeFileSync(join(data, 'deep/er/file'), 'text\n', { mode: 0o640 });
          writeFileSync(join(data, 'sp ace\nnl'), 'odd\n');
          const big = Buffer.alloc(3_000_000, 'x');
          writeFileSync(join(data, 'big'), big);
          writeFileSync(join(rootfs, 'orig'), big);
          writeFileSync(join(data, 'suid'), '', { mode: 0o755 });
          chmodSync(join(data, 'suid'), 0o4755);
          symlinkSync('/etc/passwd', join(data, 'link'));
          chownSync(join(data, 'deep/er/file'), 12, 34);
          chownSync(data, 7, 8);
          chmodSync(data, 0o750);
          utimesSync(join(data, 'deep/er/file'), 1000, 2000);
          utimesSync(join(data, 'deep'), 3000, 4000);
        },
        config: (spec) => {
          for (const destination of ['/data', '/missing'])
            spec.mounts.push({
              destination,
              type: 'tmpfs',
              source: 'tmpfs',
              options: ['nosuid', 'tmpcopyup'],
            });
        },
      },
    );
    assert.equal(mountAt(parseMountinfo(seen.mounts!), '/data').type, 'tmpfs');
    const lines = seen
      .tree!.split('\n')
      .filter((line) => !/sp ace|^nl/.test(line) && !line.startsWith('stat:'));
    assert.deepEqual(
      lines.map((line) => line.replace(/ directory (.*) \d+$/, ' directory $1')),
      [
        '. directory 750 7:8',
        './big regular file 644 0:0 3000000',
        './deep directory 755 0:0',
        './deep/er directory 755 0:0',
        './deep/er/file regular file 640 12:34 5',
        './link symbolic link 777 0:0 11',
        './suid regular empty file 4755 0:0 0',
      ],
    );
    assert.equal(seen.text, 'text\n/etc/passwd\nodd');
    assert.equal(seen.time, '2000\n4000');
    assert.equal(seen.big, 'same');
    assert.equal(seen.made, '1777');
  });

  it('tmpcopyup that is no good is an error', (t) => {
    const cases: [Mount, RegExp][] = [
      [
        { destination: '/data', type: 'tmpfs', source: 'x', options: ['tmpcopyup', 'size=64k'] },
        /mounts\[6\]\.options: tmpcopyup: sendfile "\/data\/sub\/big": .*ENOSPC.*too small/,
      ],
      [
        { destination: '/data', source: '/usr', options: ['bind', 'tmpcopyup'] },
        /mounts\[6\]\.options: tmpcopyup is for/,
      ],
      [
        { destination: '/data', type: 'ramfs', source: 'x', options: ['tmpcopyup'] },
        /mounts\[6\]\.options: tmpcopyup is for/,
      ],
    ];
    for (const [mount, pattern] of cases) {
      const result = lookAt(t, runtime, 'true', {
        globals: JSON_LOG,
        own: (rootfs) => {
          mkdirSync(join(rootfs, 'data/sub'), { recursive: true });
          writeFileSync(join(rootfs, 'data/sub/big'), Buffer.alloc(1_000_000, 1));
        },
        config: (spec) => void spec.mounts.push(mount),
      });
      const { exit, msg } = failureOf(result);
      assert.equal(exit, 1);
      assert.match(msg, pattern);
    }
  });

  it('remount changes what is mounted', (t) => {
    const seen = look(
      t,
      runtime,
      { mounts: 'cat /proc/self/mountinfo' },
      {
        own: () => {},
        config: (spec) => {
          spec.mounts.push(
            { destination: '/data', type: 'tmpfs', source: 'x', options: ['mode=700', 'size=64k'] },
            { destination: '/data', type: 'tmpfs', source: 'x', options: ['remount', 'size=128k', 'nosuid'] },
          );
        },
      },
    );
    const of = parseMountinfo(seen.mounts!).filter(({ point }) => point === '/data');
    assert.equal(of.length, 1);
    assert.ok(of[0]!.superOptions.includes('size=128k'), of[0]!.superOptions.join());
    assert.ok(of[0]!.options.includes('nosuid'));
  });

  it('options that are longer than a page', (t) => {
    const folder = temporaryFolder(t);
    const layers = Array.from({ length: 60 }, (_, i) => join(folder, `${'l'.repeat(60)}${i}`));
    layers.forEach((layer, i) => {
      mkdirSync(layer);
      writeFileSync(join(layer, `file${i}`), '');
    });
    const seen = look(
      t,
      runtime,
      { count: 'ls /overlay | wc -l' },
      {
        own: () => {},
        config: (spec) => {
          const options = [`lowerdir=${layers.join(':')}`];
          assert.ok(options[0]!.length > 4096);
          spec.mounts.push({ destination: '/overlay', type: 'overlay', source: 'overlay', options });
        },
      },
    );
    assert.equal(seen.count, '60');
  });

  it('a mount on / is the root from there on', (t) => {
    const seen = look(
      t,
      runtime,
      { list: 'ls /of-root /upper; cat /proc/self/mountinfo | grep -c " / / "' },
      {
        own: (rootfs) => mkdirSync(join(rootfs, 'of-root')),
        config: (spec: TestSpec) => {
          spec.mounts.unshift({ destination: '/', type: 'bind', source: 'rootfs', options: ['rbind'] });
          spec.mounts.push({ destination: '/upper', type: 'tmpfs', source: 'x', options: ['mode=700'] });
        },
      },
    );
    assert.match(seen.list!, /\/upper/);
  });
}
