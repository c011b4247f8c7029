/**
 * checkpoint and restore with less downtime: memory that is saved before, fetched after, or sent elsewhere.
 *
 *     conformance/vm/run --package criu --package iptables --package iproute2 --env TMPDIR=/scratch -- \
 *       node --import tsx --test test/vm/checkpoint-memory.test.ts
 */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Bundle, session, temporaryFolder } from '../harness/index.ts';
import { COUNT, checkpointTests, counter, countOf, countsBeyond, goesOn } from '../support/checkpoint.ts';

const { runtime, it } = checkpointTests();
const MB = 1 << 20;

it('--pre-dump and --parent-path: only what has changed is saved last', async (t) => {
  // 8 MB that never change.
  const script = `x=$(head -c ${4 * MB} /dev/zero | tr '\\0' x); ${COUNT}`;
  const bundle = counter(t, { script });
  const s = session(t, runtime);
  const { id } = s.detach(bundle);
  await countsBeyond(bundle, 2);
  const folder = temporaryFolder(t);
  s.ok(['checkpoint', '--pre-dump', '--image-path', join(folder, 'first'), id]);
  assert.equal(s.state(id).status, 'running');
  await countsBeyond(bundle, countOf(bundle));
  s.ok(['checkpoint', '--pre-dump', '--image-path', join(folder, 'second'), '--parent-path', '../first', id]);
  const images = join(folder, 'last');
  s.ok(['checkpoint', '--image-path', images, '--parent-path', '../second', id]);
  assert.equal(readlinkSync(join(images, 'parent')), '../second');
  // Of the first process alone: one that it has just forked still has a copy of its memory, which is new to CRIU.
  const size = (name: string): number => statSync(join(folder, name, 'pages-1.img')).size;
  assert.ok(size('first') > 4 * MB, String(size('first')));
  assert.ok(size('last') < 2 * MB, String(size('last')));
  await goesOn({ s, id, images, count: countOf(bundle) }, bundle);
});

it('--lazy-pages: memory comes from where it was saved', async (t) => {
  const bundle = counter(t, { script: `x=$(head -c ${2 * MB} /dev/zero | tr '\\0' x); ${COUNT}` });
  const s = session(t, runtime);
  const { id } = s.detach(bundle);
  await countsBeyond(bundle, 2);
  const images = join(temporaryFolder(t), 'images');
  const status = join(temporaryFolder(t), 'status');
  const [file, ...first] = runtime.command as [string, ...string[]];
  const argv = [...first, '--root', s.root, 'checkpoint', '--lazy-pages', '--page-server', '127.0.0.1:27027'];
  // Through a shell, for descriptor 3.
  const words = [file, ...argv, '--status-fd', '3', '--image-path', images, id];
  const server = spawn('sh', ['-c', 'exec "$@" 3>"$0"', status, ...words], { stdio: 'inherit' });
  const served = new Promise<number | null>((resolve) => server.on('exit', resolve));
  for (let i = 0; i < 300 && (!existsSync(status) || readFileSync(status).length === 0); i++)
    spawnSync('sleep', ['0.1']);
  assert.deepEqual([...readFileSync(status)], [0]);
  const count = countOf(bundle);
  const pages = spawn(
    'criu',
    ['lazy-pages', '--images-dir', images, '--page-server', '--address', '127.0.0.1', '--port', '27027'],
    { stdio: 'inherit' },
  );
  t.after(() => pages.kill('SIGKILL'));
  const fetched = new Promise((resolve) => pages.on('exit', resolve));
  for (let i = 0; i < 300 && !existsSync(join(images, 'lazy-pages.socket')); i++) spawnSync('sleep', ['0.1']);
  const restored = join(temporaryFolder(t), 'copy');
  spawnSync('cp', ['-a', bundle.path, restored]);
  // The saved one is still there, and serves: another container, with a cgroup of its own.
  const other: Bundle = { ...bundle, path: restored, config: structuredClone(bundle.config) };
  other.config.root.path = bundle.rootfs;
  other.config.linux.cgroupsPath += '-lazy';
  writeFileSync(join(restored, 'config.json'), JSON.stringify(other.config));
  await goesOn({ s, id: `${id}-lazy`, images, count }, other, ['--lazy-pages']);
  assert.equal(await served, 0);
  pages.kill('SIGKILL');
  await fetched;
});

it('--page-server: memory is sent there', async (t) => {
  const bundle = counter(t);
  const images = join(temporaryFolder(t), 'images');
  mkdirSync(images);
  const server = spawn(
    'criu',
    ['page-server', '--images-dir', images, '--port', '27028', '--address', '127.0.0.1'],
    {
      stdio: 'inherit',
    },
  );
  t.after(() => server.kill('SIGKILL'));
  const listens = (): boolean =>
    readFileSync('/proc/net/tcp', 'utf8').includes(`:${(27028).toString(16).toUpperCase()} `);
  for (let i = 0; i < 200 && !listens(); i++) spawnSync('sleep', ['0.1']);
  const s = session(t, runtime);
  const { id } = s.detach(bundle);
  await countsBeyond(bundle, 2);
  const local = join(temporaryFolder(t), 'local');
  s.ok(['checkpoint', '--page-server', '127.0.0.1:27028', '--image-path', local, id]);
  const pages = (folder: string): string[] => readdirSync(folder).filter((name) => name.startsWith('pages-'));
  assert.notDeepEqual(pages(images), []);
  assert.deepEqual(pages(local), []);
  spawnSync('sh', ['-c', 'cp -a "$0"/* "$1"', local, images]);
  await goesOn({ s, id, images, count: countOf(bundle) }, bundle, ['--auto-dedup']);
});

it('--auto-dedup: what is saved again leaves the earlier folder', async (t) => {
  // Memory that is written to all the time, as one variable.
  const bundle = counter(t, {
    script: `x=$(head -c ${MB} /dev/zero | tr '\\0' x)
      (while :; do y=$x$x; y=; done) & ${COUNT}`,
  });
  const s = session(t, runtime);
  const { id } = s.detach(bundle);
  await countsBeyond(bundle, 2);
  const folder = temporaryFolder(t);
  const blocks = (): number =>
    readdirSync(join(folder, 'first'))
      .filter((file) => file.startsWith('pages-'))
      .reduce((sum, file) => sum + statSync(join(folder, 'first', file)).blocks, 0);
  s.ok(['checkpoint', '--pre-dump', '--image-path', join(folder, 'first'), id]);
  const before = blocks();
  await countsBeyond(bundle, countOf(bundle));
  const images = join(folder, 'last');
  s.ok(['checkpoint', '--auto-dedup', '--image-path', images, '--parent-path', '../first', id]);
  assert.ok(blocks() < before, `${blocks()} blocks of ${before}`);
  await goesOn({ s, id, images, count: countOf(bundle) }, bundle, ['--auto-dedup']);
});
