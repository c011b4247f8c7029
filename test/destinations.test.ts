/** Where mounts go: destinations that are made, and symlinks of the image, which never lead out of it. */

import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { privateWorld, runtimes, temporaryFolder } from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { look, lookAt, printing, sectionsOf, testsOf } from './support/inside.ts';
import { parseMountinfo } from './support/status.ts';

const { skip } = privateWorld();

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('destinations are made, and written in many ways', (t) => {
    const file = join(temporaryFolder(t), 'file');
    writeFileSync(file, 'x');
    const destinations = {
      '/a/b/c': '/a/b/c',
      '/trailing/': '/trailing',
      '/dots/./x/../y': '/dots/y',
      '//twice//slashes': '/twice/slashes',
      '/with space/and\ttab': '/with space/and\ttab',
      '/ünï/😀': '/ünï/😀',
      '/new\nline': '/new\nline',
      '/../../up': '/up',
      'relative/path': '/relative/path',
      [`/${'long'.repeat(50)}`]: `/${'long'.repeat(50)}`,
    };
    let bundleRootfs = '';
    const { code, stdout, stderr } = lookAt(
      t,
      runtime,
      printing({ mounts: 'cat /proc/self/mountinfo', modes: 'stat -c %a /a /a/b /files /files/f' }),
      {
        own: (rootfs) => {
          bundleRootfs = rootfs;
        },
        config: (spec) => {
          for (const destination of Object.keys(destinations))
            spec.mounts.push({ destination, type: 'tmpfs', source: 'of-test' });
          spec.mounts.push({ destination: '/files/f', source: file, options: ['bind'] });
        },
      },
    );
    assert.equal(code, 0);
    assert.match(stderr, /^[^\n]*level=warning[^\n]*"relative\/path[^\n]* is relative[^\n]*\n$/);
    const seen = sectionsOf(stdout);
    const points = parseMountinfo(seen.mounts!)
      .filter(({ source }) => source === 'of-test')
      .map(({ point }) => point);
    assert.deepEqual(points, Object.values(destinations));
    assert.equal(seen.modes, '755\n755\n755\n644');
    assert.equal(readFileSync(join(bundleRootfs, 'files/f'), 'utf8'), '');
  });

  it('symlinks of the image are followed inside of it', (t) => {
    const outside = temporaryFolder(t);
    const file = join(outside, 'source');
    writeFileSync(file, 'source\n');
    const before = readdirSync('/').sort();
    const links: Record<string, [target: string, lands: string]> = {
      absolute: ['/real/absolute', '/real/absolute'],
      relative: ['real/relative', '/real/relative'],
      'deep/up': ['../../../../../real/up', '/real/up'],
      host: [outside, outside],
      chain1: ['chain2', '/real/chain'],
      chain2: ['/real/chain', '/real/chain'],
    };
    let rootfs = '';
    const seen = look(
      t,
      runtime,
      { mounts: 'cat /proc/self/mountinfo', file: 'cat /real/file' },
      {
        own: (path) => {
          rootfs = path;
          mkdirSync(join(path, 'deep'));
          for (const [name, [target, lands]] of Object.entries(links)) {
            symlinkSync(target, join(path, name));
            mkdirSync(join(path, lands), { recursive: true });
          }
          symlinkSync('/real', join(path, 'dir'));
          writeFileSync(join(path, 'real/file'), '');
          symlinkSync('../real/file', join(path, 'deep/file'));
        },
        config: (spec) => {
          for (const name of Object.keys(links))
            spec.mounts.push({ destination: `/${name}`, type: 'tmpfs', source: `of-${name}` });
          spec.mounts.push(
            { destination: '/dir/made', type: 'tmpfs', source: 'of-parent' },
            { destination: '/deep/file', source: file, options: ['bind'] },
          );
        },
      },
    );
    const at = Object.fromEntries(parseMountinfo(seen.mounts!).map(({ source, point }) => [source, point]));
    for (const [name, [, lands]] of Object.entries(links)) assert.equal(at[`of-${name}`], lands, name);
    assert.equal(at['of-parent'], '/real/made');
    assert.equal(seen.file, 'source');
    assert.ok(existsSync(join(rootfs, 'real/made')));
    assert.deepEqual(readdirSync(outside), ['source']);
    assert.deepEqual(readdirSync('/').sort(), before);
  });

  it('what a dangling symlink of the image names is made, inside of it', (t) => {
    const outside = temporaryFolder(t);
    const links: Record<string, [target: string, made: string]> = {
      absolute: [join(outside, 'made'), join(outside, 'made')],
      up: [`../../../../../../../../${outside}/up`, join(outside, 'up')],
      inside: ['/not/there', '/not/there'],
      'etc/resolv.conf': ['../run/systemd/resolve/stub.conf', '/run/systemd/resolve/stub.conf'],
    };
    for (const [name, [target, made]] of Object.entries(links)) {
      for (const [source, kind] of [
        ['/usr', 'directory'],
        ['/proc/version', 'regular empty file'],
      ] as const) {
        const seen = look(
          t,
          runtime,
          { link: `stat -c %F /${name}; readlink -f /${name}; stat -c %F ${made}` },
          {
            own: (rootfs) => symlinkSync(target, join(rootfs, name)),
            config: (spec) =>
              void spec.mounts.push({ destination: `/${name}`, source, options: ['bind', 'ro'] }),
          },
        );
        assert.equal(seen.link, `symbolic link\n${made}\n${kind}`);
        assert.deepEqual(readdirSync(outside), [], `${kind} ${name}`);
      }
    }
  });

  it('a working directory may be a dangling symlink too', (t) => {
    const seen = look(
      t,
      runtime,
      { cwd: 'pwd -P' },
      {
        own: (rootfs) => symlinkSync('/srv/made', join(rootfs, 'work')),
        config: (spec) => {
          spec.process.cwd = '/work/below';
        },
      },
    );
    assert.equal(seen.cwd, '/srv/made/below');
  });

  it('symlinks that lead in a circle are an error', (t) => {
    const result = lookAt(t, runtime, 'true', {
      globals: JSON_LOG,
      own: (rootfs) => {
        symlinkSync('/two', join(rootfs, 'one'));
        symlinkSync('/one', join(rootfs, 'two'));
      },
      config: (spec) => void spec.mounts.push({ destination: '/one/x', type: 'tmpfs', source: 'x' }),
    });
    const { exit, msg } = failureOf(result);
    assert.equal(exit, 1);
    assert.match(msg, /mounts\[6\]: openat2\(.*ELOOP/);
  });

  it('/proc, /sys and /dev of the image that are symlinks', (t) => {
    const outside = temporaryFolder(t);
    for (const name of ['proc', 'sys']) {
      const result = lookAt(t, runtime, 'true', {
        globals: JSON_LOG,
        own: (rootfs) => replaceByLink(join(rootfs, name), '/tmp'),
      });
      const { exit, msg } = failureOf(result);
      assert.equal(exit, 1);
      assert.match(msg, /mounts\[\d\]: openat2\(.*ELOOP.*must not be a symlink/);
    }
    const dev = lookAt(t, runtime, 'true', {
      globals: JSON_LOG,
      own: (rootfs) => replaceByLink(join(rootfs, 'dev'), outside),
    });
    assert.match(failureOf(dev).msg, /mounts\[1\]: openat2\(.*"dev".*ENOENT/);
    assert.deepEqual(readdirSync(outside), []);
  });
}

function replaceByLink(path: string, target: string): void {
  rmdirSync(path);
  symlinkSync(target, path);
}
