/** Volumes, mounts, read-only roots, copying. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { call, ok } from '../engines/engine.ts';
import { BOX, type Box, type DockerCase, detach, execIn, sh, tryRun } from './box.ts';

/** A new folder of the host with a file "file". */
function hostFolder({ setting }: Box, name: string): string {
  const folder = join(setting.folder, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'file'), 'of the host\n');
  return folder;
}

export const storageCases: readonly DockerCase[] = [
  {
    name: 'run --read-only and --tmpfs',
    vm: 'too',
    run({ daemon }) {
      const options = ['--read-only', '--tmpfs', '/tmp:size=3m,mode=1777'];
      const script =
        'touch /x 2>&1 | grep -o "Read-only.*"; touch /tmp/y && echo can; df -m /tmp | grep -c " 3 "';
      assert.equal(sh(daemon, options, script).replaceAll('\n', '|'), 'Read-only file system|can|1');
    },
  },
  {
    name: 'run --volume of a folder and of a file',
    run(box) {
      const folder = hostFolder(box, 'bound');
      const options = ['--volume', `${folder}:/there`, '--volume', `${folder}/file:/new/file`];
      assert.equal(sh(box.daemon, options, 'cat /new/file; echo new >/there/made'), 'of the host');
      assert.equal(readFileSync(join(folder, 'made'), 'utf8'), 'new\n');
    },
  },
  {
    name: 'run --volume FOLDER:ro',
    run(box) {
      const folder = hostFolder(box, 'bound');
      const { code, stderr } = tryRun(box.daemon, ['--volume', `${folder}:/there:ro`], 'touch', '/there/x');
      assert.notEqual(code, 0);
      assert.match(stderr, /Read-only file system/);
    },
  },
  {
    name: 'run --mount type=bind: propagation',
    run(box) {
      const { daemon, setting } = box;
      const folder = hostFolder(box, 'shared');
      const mount = (...args: string[]) => ok(setting.place, ['mount', ...args]);
      mount('--bind', folder, folder);
      mount('--make-shared', folder);
      mkdirSync(join(folder, 'later'));
      try {
        const option = (target: string, propagation: string) =>
          `type=bind,source=${folder},target=${target},bind-propagation=${propagation}`;
        detach(daemon, 'follows', [
          '--mount',
          option('/slave', 'rslave'),
          '--mount',
          option('/private', 'rprivate'),
        ]);
        mount('-t', 'tmpfs', 'tmpfs', join(folder, 'later'));
        writeFileSync(join(folder, 'later/seen'), '');
        assert.equal(execIn(daemon, 'follows', 'cd /; ls -d */later/*'), 'slave/later/seen');
      } finally {
        daemon.attempt(['rm', '--force', 'follows']);
        call(setting.place, ['umount', '-R', folder]);
      }
    },
  },
  {
    name: 'run --mount type=tmpfs',
    run({ daemon }) {
      const options = ['--mount', 'type=tmpfs,target=/fast,tmpfs-size=2m,tmpfs-mode=700'];
      assert.match(
        sh(daemon, options, 'stat -c %a /fast; grep " /fast " /proc/mounts'),
        /^700\ntmpfs \/fast tmpfs rw,.*size=2048k/,
      );
    },
  },
  {
    name: 'named volumes',
    vm: 'too',
    run({ daemon }) {
      daemon.ok(['volume', 'create', 'kept']);
      sh(daemon, ['--volume', 'kept:/data'], 'echo stays >/data/file');
      assert.equal(sh(daemon, ['--volume', 'kept:/elsewhere:ro'], 'cat /elsewhere/file'), 'stays');
      // An empty volume gets what the image has there.
      assert.match(sh(daemon, ['--volume', 'copied:/etc'], 'cat /etc/group'), /extra/);
      daemon.ok(['volume', 'rm', 'kept', 'copied']);
    },
  },
  {
    name: 'run --volumes-from',
    run({ daemon }) {
      detach(daemon, 'owner', ['--volume', '/data'], 'sh', '-c', 'echo theirs >/data/file; exec sleep 3600');
      const script = 'until [ -s /data/file ]; do sleep 0.05; done; cat /data/file';
      assert.equal(sh(daemon, ['--volumes-from', 'owner'], script), 'theirs');
    },
  },
  {
    name: 'resolv.conf hosts hostname --add-host --dns',
    run({ daemon }) {
      const options = ['--add-host', 'other:10.9.8.7', '--dns', '10.1.1.1', '--hostname', 'here'];
      const script =
        'grep -c "10.9.8.7.other" /etc/hosts; grep -c 10.1.1.1 /etc/resolv.conf; cat /etc/hostname';
      assert.equal(sh(daemon, options, script).replaceAll('\n', ' '), '1 1 here');
    },
  },
  {
    name: 'cp into and out of a running container',
    run(box) {
      const { daemon } = box;
      const folder = hostFolder(box, 'copied');
      detach(daemon, 'target');
      daemon.ok(['cp', `${folder}/file`, 'target:/tmp/arrived']);
      assert.equal(execIn(daemon, 'target', 'cat /tmp/arrived; echo answer >/tmp/answer'), 'of the host');
      daemon.ok(['cp', 'target:/tmp/answer', `${folder}/answer`]);
      assert.equal(readFileSync(join(folder, 'answer'), 'utf8'), 'answer\n');
    },
  },
  {
    name: 'diff commit export import',
    run({ setting, daemon }) {
      detach(daemon, 'source', [], 'sh', '-c', 'echo x >/added; rm /etc/group');
      daemon.ok(['wait', 'source']);
      assert.deepEqual(daemon.ok(['diff', 'source']).trim().split('\n').sort(), [
        'A /added',
        'C /etc',
        'D /etc/group',
      ]);
      daemon.ok(['commit', 'source', 'committed']);
      assert.equal(daemon.ok(['run', '--rm', 'committed', 'cat', '/added']), 'x\n');
      const archive = join(setting.folder, 'export.tar');
      daemon.ok(['export', '--output', archive, 'source']);
      daemon.ok(['import', archive, 'imported']);
      assert.equal(daemon.ok(['run', '--rm', 'imported', '/bin/cat', '/added']), 'x\n');
      daemon.ok(['rm', 'source']);
      daemon.ok(['rmi', 'committed', 'imported', '--force']);
    },
  },
  {
    name: 'a symbolic link in the image as mount point stays inside',
    run(box) {
      const { daemon } = box;
      const folder = hostFolder(box, 'outside');
      detach(daemon, 'links', [], 'ln', '-s', '/../../../../etc', '/evil');
      daemon.ok(['wait', 'links']);
      daemon.ok(['commit', 'links', 'evil']);
      const options = ['--volume', `${folder}/file:/evil/from-the-host`];
      assert.equal(
        daemon.ok(['run', '--rm', ...options, 'evil', 'cat', '/etc/from-the-host']),
        'of the host\n',
      );
      daemon.ok(['rmi', '--force', 'evil']);
    },
  },
  {
    name: 'run: a volume below a tmpfs and a tmpfs below that',
    run({ daemon }) {
      const options = ['--tmpfs', '/a', '--volume', '/a/b', '--tmpfs', '/a/b/c'];
      assert.equal(
        daemon
          .ok([
            'run',
            '--rm',
            ...options,
            BOX,
            'sh',
            '-c',
            'touch /a/1 /a/b/2 /a/b/c/3; cut -d" " -f2 /proc/mounts | grep ^/a',
          ])
          .trim()
          .replaceAll('\n', ' '),
        '/a /a/b /a/b/c',
      );
    },
  },
];
