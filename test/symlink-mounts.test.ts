/** Bind mounts and symlinks: copied, mounted themselves, mounted on. */

import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Mount } from '../src/spec/types.ts';
import { privateWorld, runtimes, type TestSpec, temporaryFolder } from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { look, lookAt, testsOf } from './support/inside.ts';

const { skip } = privateWorld();

/** A folder of the host with a file, and symlinks to it, to nothing, and to a folder. */
function sources(t: TestContext): string {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, 'folder'));
  writeFileSync(join(folder, 'folder/inside'), '');
  writeFileSync(join(folder, 'file'), 'of the host\n');
  symlinkSync('file', join(folder, 'link'));
  symlinkSync('/nowhere/é', join(folder, 'dangling'));
  symlinkSync('folder', join(folder, 'to-folder'));
  return folder;
}

function bind(source: string, destination: string, ...options: string[]): Mount {
  return { destination, source, options: ['bind', ...options] };
}

const linksAt = (...paths: string[]): string => paths.map((path) => `readlink ${path}`).join('\n');

const USER_NAMESPACE = (spec: TestSpec): void => {
  const map = [{ containerID: 0, hostID: 0, size: 65536 }];
  spec.linux.namespaces.push({ type: 'user' });
  spec.linux.uidMappings = map;
  spec.linux.gidMappings = map;
};

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  for (const [how, change] of [
    ['', () => {}],
    [' in a user namespace', USER_NAMESPACE],
  ] as const) {
    it(`copy-symlink${how}: a symlink is made again, what else is bound`, (t) => {
      const from = sources(t);
      const seen = look(
        t,
        runtime,
        {
          links: linksAt('/link', '/new/deep/dangling', '/same', '/behind/link'),
          file: 'cat /file; ls /folder',
          mounts: "grep -cE ' /(link|same|new|real)' /proc/self/mountinfo",
        },
        {
          own: (rootfs) => {
            symlinkSync('file', join(rootfs, 'same'));
            mkdirSync(join(rootfs, 'real'));
            symlinkSync('real', join(rootfs, 'behind'));
          },
          config: (spec) => {
            change(spec);
            spec.mounts.push(
              bind(join(from, 'link'), '/link', 'copy-symlink'),
              bind(join(from, 'dangling'), '/new/deep/dangling', 'copy-symlink', 'ro'),
              bind(join(from, 'link'), '/same', 'copy-symlink'),
              bind(join(from, 'link'), '/behind/link', 'copy-symlink'),
              bind(join(from, 'file'), '/file', 'copy-symlink'),
              bind(join(from, 'folder'), '/folder', 'copy-symlink'),
            );
          },
        },
      );
      assert.equal(seen.links, 'file\n/nowhere/é\nfile\nfile');
      assert.equal(seen.file, 'of the host\ninside');
      assert.equal(seen.mounts, '0');
    });

    it(`src-nofollow${how}: the symlink itself is mounted`, (t) => {
      const from = sources(t);
      const seen = look(
        t,
        runtime,
        {
          links: linksAt('/link', '/dangling'),
          followed: 'cat /link',
          mounts: "grep -cE ' /(link|dangling) ' /proc/self/mountinfo",
        },
        {
          own: (rootfs) => writeFileSync(join(rootfs, 'file'), 'of the container\n'),
          config: (spec) => {
            change(spec);
            spec.mounts.push(
              bind(join(from, 'link'), '/link', 'src-nofollow', 'ro'),
              bind(join(from, 'dangling'), '/dangling', 'src-nofollow'),
              bind(join(from, 'file'), '/plain', 'src-nofollow'),
            );
          },
        },
      );
      assert.equal(seen.links, 'file\n/nowhere/é');
      assert.equal(seen.followed, 'of the container');
      assert.equal(seen.mounts, '2');
    });

    it(`dest-nofollow${how}: a symlink of the image is mounted on, and not what it leads to`, (t) => {
      const from = sources(t);
      let kept = '';
      const seen = look(
        t,
        runtime,
        { there: 'cat /there /made /deep/link', link: 'readlink /covered', target: 'cat /target' },
        {
          own: (rootfs) => {
            kept = rootfs;
            writeFileSync(join(rootfs, 'target'), 'of the image\n');
            symlinkSync('target', join(rootfs, 'there'));
            symlinkSync('../target', join(rootfs, 'covered'));
            mkdirSync(join(rootfs, 'real'));
            symlinkSync('real', join(rootfs, 'deep'));
            symlinkSync('../target', join(rootfs, 'real/link'));
          },
          config: (spec) => {
            change(spec);
            spec.mounts.push(
              bind(join(from, 'file'), '/there', 'dest-nofollow'),
              bind(join(from, 'file'), '/made', 'dest-nofollow'),
              bind(join(from, 'file'), '/deep/link', 'dest-nofollow'),
              bind(join(from, 'link'), '/covered', 'src-nofollow', 'dest-nofollow'),
            );
          },
        },
      );
      assert.deepEqual(seen, {
        there: 'of the host\nof the host\nof the host',
        link: 'file',
        target: 'of the image',
      });
      assert.equal(readlinkSync(join(kept, 'there')), 'target');
      assert.equal(readlinkSync(join(kept, 'covered')), '../target');
    });
  }

  it('a symlink of the image can’t lead a copy out of the root', (t) => {
    const from = sources(t);
    const outside = temporaryFolder(t);
    const seen = look(
      t,
      runtime,
      { links: linksAt(`${outside}/link`, '/up/link') },
      {
        own: (rootfs) => {
          symlinkSync(outside, join(rootfs, 'out'));
          mkdirSync(join(rootfs, outside), { recursive: true });
          symlinkSync('../../../../../../..', join(rootfs, 'up'));
        },
        config: (spec) => {
          spec.mounts.push(
            bind(join(from, 'link'), '/out/link', 'copy-symlink'),
            bind(join(from, 'link'), '/up/link', 'copy-symlink'),
          );
        },
      },
    );
    assert.equal(seen.links, 'file\nfile');
    assert.throws(() => lstatSync(join(outside, 'link')), /ENOENT/);
    assert.throws(() => lstatSync('/link'), /ENOENT/);
  });

  it('these options where they are no good are an error', (t) => {
    const from = sources(t);
    const cases: [Mount, RegExp][] = [
      [
        bind(join(from, 'link'), '/x', 'copy-symlink', 'src-nofollow'),
        /mounts\[6\]\.options: copy-symlink and src-nofollow contradict each other/,
      ],
      [
        bind(join(from, 'link'), '/x', 'dest-nofollow', 'copy-symlink'),
        /mounts\[6\]\.options: copy-symlink and dest-nofollow contradict each other/,
      ],
      [
        { destination: '/x', type: 'tmpfs', source: 'x', options: ['dest-nofollow'] },
        /mounts\[6\]\.options: dest-nofollow is for bind mounts/,
      ],
      [
        bind(join(from, 'link'), '/', 'copy-symlink'),
        /mounts\[6\]\.options: the root can’t become a symlink/,
      ],
      [
        bind(join(from, 'link'), '/other', 'copy-symlink'),
        /mounts\[6\]: the destination is there, and no symlink to the same: file exists \(EEXIST\)/,
      ],
      [
        bind(join(from, 'link'), '/taken', 'copy-symlink'),
        /mounts\[6\]: the destination is there, and no symlink to the same: file exists \(EEXIST\)/,
      ],
      [
        bind(join(from, 'missing'), '/x', 'copy-symlink'),
        /mounts\[6\]\.source: open_tree\(.*no such file or directory \(ENOENT\)/,
      ],
      [
        bind(join(from, 'file'), '/proc-link/self/cwd', 'dest-nofollow'),
        /mounts\[6\]: the destination leads into \/proc: operation not permitted \(EPERM\)/,
      ],
      [
        bind(join(from, 'folder'), '/other', 'dest-nofollow'),
        /mounts\[6\]: move_mount\(.*a folder can only be/,
      ],
    ];
    for (const [mount, pattern] of cases) {
      const result = lookAt(t, runtime, 'true', {
        globals: JSON_LOG,
        config: (spec) => void spec.mounts.push(mount),
        own: (rootfs) => {
          symlinkSync('files', join(rootfs, 'other'));
          mkdirSync(join(rootfs, 'taken'));
          symlinkSync('proc', join(rootfs, 'proc-link'));
        },
      });
      assert.match(failureOf(result).msg, pattern);
    }
  });
}
