/** Traps that other runtimes fell into with mounts: options that get lost, leak, or can't be taken back. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { atEnd, privateWorld, runtimes, session, tempBundle, temporaryFolder } from './harness/index.ts';
import { look, scriptBundle, testsOf } from './support/inside.ts';
import { mountAt, parseMountinfo } from './support/status.ts';

const { skip } = privateWorld();

function mountHere(t: TestContext, folder: string, options: string): void {
  mkdirSync(folder, { recursive: true });
  assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'of-test', folder]).status, 0);
  atEnd(t, 'files', () => void spawnSync('umount', ['--lazy', folder]));
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('flags that the source has stay, what the options change aside', (t) => {
    const folder = join(temporaryFolder(t), 'locked');
    mountHere(t, folder, 'nosuid,nodev,noexec,noatime');
    for (const user of [false, true]) {
      const seen = look(
        t,
        runtime,
        { mounts: 'cat /proc/self/mountinfo' },
        {
          own: (rootfs) => {
            chmodSync(join(rootfs, '../..'), 0o755);
            if (user) chownSync(rootfs, 100_000, 100_000);
          },
          config: (spec) => {
            if (user) {
              const map = [{ containerID: 0, hostID: 100_000, size: 65536 }];
              spec.linux.namespaces.push({ type: 'user' });
              spec.linux.uidMappings = map;
              spec.linux.gidMappings = map;
            }
            spec.mounts.push(
              { destination: '/plain', source: folder, options: ['bind'] },
              { destination: '/ro', source: folder, options: ['bind', 'ro'] },
              { destination: '/tree', source: folder, options: ['rbind', 'rro'] },
              { destination: '/exec', source: folder, options: ['bind', 'exec'] },
            );
          },
        },
      );
      const mounts = parseMountinfo(seen.mounts!);
      const options = (point: string): string => mountAt(mounts, point).options.join();
      assert.equal(options('/plain'), 'rw,nosuid,nodev,noexec,noatime');
      assert.equal(options('/ro'), 'ro,nosuid,nodev,noexec,noatime');
      assert.equal(options('/tree'), 'ro,nosuid,nodev,noexec,noatime');
      assert.equal(options('/exec'), 'rw,nosuid,nodev,noatime');
    }
  });

  it('the options of one mount are not the next one’s', (t) => {
    const folder = temporaryFolder(t);
    const seen = look(
      t,
      runtime,
      { mounts: 'cat /proc/self/mountinfo' },
      {
        own: () => {},
        config: (spec) => {
          spec.mounts.push(
            {
              destination: '/a',
              source: folder,
              options: ['bind', 'ro', 'nosuid', 'nodev', 'noexec', 'unbindable'],
            },
            { destination: '/b', source: folder, options: ['bind'] },
            {
              destination: '/c',
              type: 'tmpfs',
              source: 'x',
              options: ['ro', 'mode=700', 'size=4k', 'noexec'],
            },
            { destination: '/d', type: 'tmpfs', source: 'x' },
          );
        },
      },
    );
    const mounts = parseMountinfo(seen.mounts!);
    assert.equal(mountAt(mounts, '/b').options.join(), 'rw,relatime');
    assert.deepEqual(mountAt(mounts, '/b').propagation, []);
    assert.equal(mountAt(mounts, '/d').options.join(), 'rw,relatime');
    assert.ok(!mountAt(mounts, '/d').superOptions.includes('size=4k'));
  });

  it('what the host mounts later comes into a slave and not into a private one, and nothing comes back', async (t) => {
    const folder = join(temporaryFolder(t), 'shared');
    mountHere(t, folder, 'mode=755');
    assert.equal(spawnSync('mount', ['--make-shared', folder]).status, 0);
    for (const name of ['host', 'container']) mkdirSync(join(folder, name));
    const s = session(t, runtime);
    const bundle = scriptBundle(t, 'sleep 100', {
      own: () => {},
      config: (spec) => {
        const capabilities = ['CAP_SYS_ADMIN'];
        spec.process.capabilities = {
          bounding: capabilities,
          effective: capabilities,
          permitted: capabilities,
        };
        spec.mounts.push(
          { destination: '/slave', source: folder, options: ['rbind', 'rslave'] },
          { destination: '/private', source: folder, options: ['rbind', 'rprivate'] },
          { destination: '/default', source: folder, options: ['rbind'] },
        );
      },
    });
    const { id, code, output } = s.detach(bundle);
    assert.equal(code, 0, output());
    mountHere(t, join(folder, 'host'), 'mode=755');
    writeFileSync(join(folder, 'host/file'), '');
    const seen = s.ok([
      'exec',
      id,
      'sh',
      '-c',
      'for d in slave private default; do echo $d $(ls /$d/host); done',
    ]);
    assert.equal(seen, 'slave file\nprivate\ndefault file\n');
    s.ok(['exec', id, 'sh', '-c', 'mount -t tmpfs x /slave/container && touch /slave/container/inside']);
    assert.equal(spawnSync('ls', [join(folder, 'container')], { encoding: 'utf8' }).stdout, '');
    s.ok(['delete', '--force', id]);
    await s.waitFor(id, 'gone');
    spawnSync('umount', [join(folder, 'host')]);
  });

  it('shared volumes of a shared root: what the container mounts there is seen on the host, and nothing else', (t) => {
    const folder = join(temporaryFolder(t), 'shared');
    mountHere(t, folder, 'mode=755');
    assert.equal(spawnSync('mount', ['--make-shared', folder]).status, 0);
    mkdirSync(join(folder, 'volume'));
    const s = session(t, runtime);
    const bundle = scriptBundle(t, 'mount -t tmpfs of-inside /v/volume && touch /v/volume/file; sleep 100', {
      own: () => {},
      config: (spec) => {
        const capabilities = ['CAP_SYS_ADMIN'];
        spec.process.capabilities = {
          bounding: capabilities,
          effective: capabilities,
          permitted: capabilities,
        };
        spec.linux.rootfsPropagation = 'rshared';
        spec.mounts.push({ destination: '/v', source: folder, options: ['rbind', 'rshared'] });
      },
    });
    const { id, code, output } = s.detach(bundle);
    assert.equal(code, 0, output());
    let seen = '';
    for (let i = 0; i < 50 && seen === ''; i++) {
      spawnSync('sleep', ['0.02']);
      seen = spawnSync('ls', [join(folder, 'volume')], { encoding: 'utf8' }).stdout;
    }
    assert.equal(seen, 'file\n');
    s.ok(['delete', '--force', id]);
    spawnSync('umount', [join(folder, 'volume')]);
  });

  it('an ordinary user’s supplementary groups open the sources of mounts', (t) => {
    const folder = temporaryFolder(t);
    chmodSync(folder, 0o755);
    const [uid, gid, group] = [65_534, 65_534, 777];
    const source = join(folder, 'source');
    mkdirSync(source);
    writeFileSync(join(source, 'file'), 'content\n', { mode: 0o640 });
    chownSync(join(source, 'file'), 0, group);
    chownSync(source, 0, group);
    chmodSync(source, 0o750);
    const bundle = tempBundle(t, { args: ['cat', '/mnt/file'] });
    const own = join(folder, 'bundle');
    cpSync(bundle.rootfs, join(own, 'rootfs'), { recursive: true, verbatimSymlinks: true });
    mkdirSync(join(folder, 'run'));
    assert.equal(spawnSync('chown', ['-R', `${uid}:${gid}`, own, join(folder, 'run')]).status, 0);
    const program = runtime.command.at(-1) ?? '';
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    assert.equal(spawnSync('mount', ['--bind', dirname(program), bin]).status, 0);
    atEnd(t, 'files', () => void spawnSync('umount', [bin]));
    const command = [...runtime.command.slice(0, -1), join(bin, program.slice(dirname(program).length + 1))];
    const call = (...args: string[]) =>
      spawnSync('setpriv', [`--reuid=${uid}`, `--regid=${gid}`, `--groups=${group}`, ...command, ...args], {
        cwd: own,
        encoding: 'utf8',
        env: { PATH: process.env.PATH, XDG_RUNTIME_DIR: join(folder, 'run') },
        timeout: 60_000,
      });
    const config = bundle.config;
    config.root.path = 'rootfs';
    config.linux.cgroupsPath = undefined;
    config.linux.namespaces.push({ type: 'user' });
    config.linux.uidMappings = [{ containerID: 0, hostID: uid, size: 1 }];
    config.linux.gidMappings = [{ containerID: 0, hostID: gid, size: 1 }];
    config.mounts.push({ destination: '/mnt', source, options: ['bind', 'ro'] });
    writeFileSync(join(own, 'config.json'), JSON.stringify(config));
    const { status, stdout, stderr } = call('run', 'box');
    assert.deepEqual([status, stdout], [0, 'content\n'], stderr);
  });

  it('a folder that is covered keeps its mode, and gives it to what covers it', (t) => {
    const seen = look(
      t,
      runtime,
      { modes: 'stat -c %a /strict /told; umount /strict; stat -c %a /strict' },
      {
        own: (rootfs) => {
          for (const name of ['strict', 'told']) mkdirSync(join(rootfs, name), { mode: 0o711 });
        },
        config: (spec) => {
          const capabilities = ['CAP_SYS_ADMIN'];
          spec.process.capabilities = {
            bounding: capabilities,
            effective: capabilities,
            permitted: capabilities,
          };
          spec.mounts.push(
            { destination: '/strict', type: 'tmpfs', source: 'x' },
            { destination: '/told', type: 'tmpfs', source: 'x', options: ['mode=1777'] },
          );
        },
      },
    );
    assert.equal(seen.modes, '711\n1777\n711');
  });
}
