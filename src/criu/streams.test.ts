import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { checkImages, readStreams, saveStreams, streamsOf } from './streams.ts';

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'runts-criu-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

test('files of the host are known by mount and inode, pipes by their names', (t) => {
  const folder = folderOf(t);
  const log = join(folder, 'log');
  const file = openSync(log, 'w');
  const child = spawn('sleep', ['100'], { stdio: ['pipe', file, file] });
  t.after(() => child.kill('SIGKILL'));
  const streams = streamsOf(child.pid!, new Set());
  assert.match(streams.descriptors[0]!, /^(socket|pipe):\[\d+\]$/);
  assert.deepEqual(streams.descriptors.slice(1), [log, log]);
  const inode = statSync(log, { bigint: true }).ino.toString(16);
  const [[name, fd] = []] = Object.entries(streams.files);
  assert.match(name!, new RegExp(`^file\\[[0-9a-f]+:${inode}\\]$`));
  assert.equal(fd, 1);
  // On a mount of the container it is the container's own.
  const mount = Number.parseInt(name!.slice('file['.length), 16);
  assert.deepEqual(streamsOf(child.pid!, new Set([mount])).files, {});
});

test('what a shell has put aside is still the stream', async (t) => {
  const folder = folderOf(t);
  // On another mount than the folder.
  const log = `/dev/shm/${basename(folder)}`;
  t.after(() => rmSync(log));
  const script = 'exec 10>&1 >"$0"; echo >&2; exec sleep 100';
  const child = spawn('bash', ['-c', script, join(folder, 'new')], {
    stdio: ['ignore', openSync(log, 'w'), 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stderr!, 'data');
  const info = readFileSync(`/proc/${child.pid}/fdinfo/1`, 'utf8');
  const mount = Number(/mnt_id:\s*(\d+)/.exec(info)?.[1]);
  const { descriptors, files } = streamsOf(child.pid!, new Set([mount]));
  assert.equal(descriptors[1], log);
  assert.ok(Object.values(files).includes(1));
});

test('what is saved is read again; runc’s folders too', (t) => {
  const folder = folderOf(t);
  saveStreams(folder, { descriptors: ['pipe:[1]', '/log', 'pipe:[2]'], files: { 'file[a:b]': 1 } }, [
    '/data',
  ]);
  assert.equal(readFileSync(join(folder, 'descriptors.json'), 'utf8'), '["pipe:[1]","/log","pipe:[2]"]');
  assert.deepEqual(readStreams(folder), {
    inherited: [
      { key: 'pipe:[1]', fd: 0 },
      { key: 'pipe:[2]', fd: 2 },
      { key: 'ile[a:b]', fd: 1 },
    ],
    lock: undefined,
    mounts: ['/data'],
  });
  saveStreams(folder, { descriptors: [], files: {} }, [], 'CRIU-1');
  assert.equal(readStreams(folder).lock, 'CRIU-1');
  rmSync(join(folder, 'runts-external.json'));
  assert.deepEqual(readStreams(folder).mounts, []);
});

test('folders that are none of ours', (t) => {
  const folder = folderOf(t);
  assert.throws(() => checkImages(folder), /stat .*inventory\.img: no such file.*\(no checkpoint is there/);
  writeFileSync(join(folder, 'inventory.img'), '');
  checkImages(folder);
  assert.throws(() => readStreams(folder), /open .*descriptors\.json: no such file.*\(this is a pre-dump/);
  for (const content of ['{', '{}', '""']) {
    writeFileSync(join(folder, 'descriptors.json'), content);
    assert.throws(() => readStreams(folder), /descriptors\.json: .*\(the checkpoint is damaged\)/);
  }
  assert.throws(
    () => saveStreams(join(folder, 'none'), { descriptors: [], files: {} }, []),
    /write .*none\/descriptors\.json: no such file or directory/,
  );
});
