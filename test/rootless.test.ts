/** Containers of an ordinary user: id maps with and without helpers, no cgroup, devices from the host; and nested ones. */

import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  atEnd,
  missing,
  privateWorld,
  runtimes,
  type TestSpec,
  tempBundle,
  temporaryFolder,
  uniqueId,
} from './harness/index.ts';

const { skip } = privateWorld();

/** `nobody`, who has no rights and no entry in /etc/subuid. */
const UID = 65_534;
const GID = 65_534;

/** An ordinary user with a folder of its own that holds a bundle, and a place for the state. */
interface Ordinary {
  folder: string;
  run(...args: string[]): SpawnSyncReturns<string>;
  /** Without pipes, which a container that stays would keep open. */
  quietly(...args: string[]): number | null;
  /** Changes config.json. */
  configure(change: (spec: TestSpec) => void): void;
}

/** @param around - a command that runs the runtime */
function ordinary(t: TestContext, command: readonly string[], around: readonly string[] = []): Ordinary {
  const folder = temporaryFolder(t);
  chmodSync(folder, 0o755);
  // The checkout may be in a folder that only root can enter: the program is reached by a mount.
  const program = command.at(-1) ?? '';
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  assert.equal(spawnSync('mount', ['--bind', dirname(program), bin]).status, 0);
  atEnd(t, 'files', () => {
    spawnSync('umount', [bin]);
  });
  const reached = [...command.slice(0, -1), join(bin, program.slice(dirname(program).length + 1))];
  const bundle = join(folder, 'bundle');
  cpSync(tempBundle(t).rootfs, join(bundle, 'rootfs'), { recursive: true, verbatimSymlinks: true });
  mkdirSync(join(folder, 'run'));
  assert.equal(spawnSync('chown', ['-R', `${UID}:${GID}`, bundle, join(folder, 'run')]).status, 0);
  const become = [`--reuid=${UID}`, `--regid=${GID}`, '--clear-groups'];
  const call = (stdio: 'pipe' | 'ignore', args: string[]): SpawnSyncReturns<string> =>
    spawnSync('setpriv', [...become, ...around, ...reached, ...args], {
      cwd: bundle,
      encoding: 'utf8',
      stdio,
      env: { PATH: process.env.PATH, XDG_RUNTIME_DIR: join(folder, 'run') },
      timeout: 60_000,
    });
  const user: Ordinary = {
    folder,
    run: (...args) => call('pipe', args),
    quietly: (...args) => call('ignore', args).status,
    configure: (change) => {
      const path = join(bundle, 'config.json');
      const spec = JSON.parse(readFileSync(path, 'utf8')) as TestSpec;
      change(spec);
      writeFileSync(path, JSON.stringify(spec));
    },
  };
  const written = user.run('spec', '--rootless');
  assert.equal(written.status, 0, written.stderr);
  user.configure((spec) => {
    spec.process.terminal = false;
  });
  atEnd(t, 'containers', () => {
    for (const id of idsOf(user)) user.run('delete', '--force', id);
  });
  return user;
}

function idsOf(user: Ordinary): string[] {
  const state = join(user.folder, 'run/runts');
  return existsSync(state) ? readdirSync(state).filter((name) => !name.startsWith('.')) : [];
}

/** Runs a script in a container and gives what it printed. */
function print(user: Ordinary, script: string): string {
  user.configure((spec) => {
    spec.process.args = ['sh', '-c', script];
  });
  const { status, stdout, stderr } = user.run('run', uniqueId());
  assert.equal(status, 0, stderr);
  assert.deepEqual(idsOf(user), []);
  return stdout;
}

for (const runtime of runtimes()) {
  test(`${runtime.name}: the config of \`spec --rootless\` runs as it is, without helpers`, { skip }, (t) => {
    const user = ordinary(t, runtime.command);
    const text = print(
      user,
      'id -u; cat /proc/self/uid_map /proc/self/setgroups; hostname; ls -l /dev/null; echo > /dev/null',
    );
    const [id, map = '', setgroups, hostname, device = ''] = text.split('\n');
    assert.deepEqual([id, setgroups, hostname], ['0', 'deny', 'runts']);
    assert.deepEqual(map.trim().split(/\s+/), ['0', String(UID), '1']);
    assert.match(device, /^crw/);
  });

  test(`${runtime.name}: create, start, state, exec, kill and delete as an ordinary user`, {
    skip,
  }, async (t) => {
    const user = ordinary(t, runtime.command);
    user.configure((spec) => {
      spec.process.args = ['sh', '-c', 'echo up > /tmp/up; sleep 1000'];
      spec.root.readonly = false;
    });
    const id = uniqueId();
    assert.equal(user.quietly('create', id), 0);
    assert.equal(JSON.parse(user.run('state', id).stdout).status, 'created');
    const early = user.run('exec', id, 'true');
    assert.equal(early.status, 255);
    assert.match(early.stderr, /an ordinary user can’t join a container that is not started yet/);
    assert.equal(user.run('start', id).status, 0);
    assert.equal(JSON.parse(user.run('state', id).stdout).status, 'running');
    const exec = user.run('exec', id, 'sh', '-c', 'id -u; readlink /proc/self/ns/pid');
    assert.equal(exec.status, 0, exec.stderr);
    assert.equal(exec.stdout.split('\n')[0], '0');
    assert.equal(user.run('kill', id, 'KILL').status, 0);
    const deleted = user.run('delete', '--force', id);
    assert.equal(deleted.status, 0, deleted.stderr);
    assert.deepEqual(idsOf(user), []);
  });

  const helpers = skip || missing('newuidmap', 'newgidmap');
  test(`${runtime.name}: ranges of /etc/subuid by newuidmap and newgidmap`, { skip: helpers }, (t) => {
    const user = ordinary(t, runtime.command);
    const list = join(user.folder, 'subids');
    writeFileSync(list, `${UID}:100000:65536\n`);
    for (const file of ['/etc/subuid', '/etc/subgid']) {
      if (!existsSync(file)) writeFileSync(file, '');
      assert.equal(spawnSync('mount', ['--bind', list, file]).status, 0);
      atEnd(t, 'files', () => {
        spawnSync('umount', [file]);
      });
    }
    user.configure((spec) => {
      const map = (own: number) => [
        { containerID: 0, hostID: own, size: 1 },
        { containerID: 1, hostID: 100_000, size: 1000 },
      ];
      spec.linux.uidMappings = map(UID);
      spec.linux.gidMappings = map(GID);
      spec.process.user = { uid: 5, gid: 6, additionalGids: [7, 8] };
    });
    assert.equal(print(user, 'id -u; id -g; id -G; cat /proc/self/setgroups'), '5\n6\n6 7 8\nallow\n');
    user.configure((spec) => {
      spec.linux.uidMappings = [{ containerID: 0, hostID: 200_000, size: 10 }];
    });
    const refused = user.run('run', uniqueId());
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /linux\.uidMappings: newuidmap: .*\/etc\/subuid/);
    assert.deepEqual(idsOf(user), []);
  });

  test(`${runtime.name}: what an ordinary user may not is one clear error, and leaves nothing`, {
    skip,
  }, (t) => {
    const cases: [name: string, change: (spec: TestSpec) => void, text: RegExp][] = [
      [
        'additional groups with one id mapped',
        (spec) => {
          spec.process.user = { uid: 0, gid: 0, additionalGids: [7] };
        },
        /additionalGids/,
      ],
      [
        'no user namespace',
        (spec) => {
          spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'user');
          delete spec.linux.uidMappings;
          delete spec.linux.gidMappings;
        },
        /linux\.namespaces: .*EPERM.*user namespace/,
      ],
      [
        'a user that is not mapped',
        (spec) => {
          spec.process.user = { uid: 7, gid: 0 };
        },
        /process\.user/,
      ],
    ];
    for (const [name, change, text] of cases) {
      const user = ordinary(t, runtime.command);
      user.configure(change);
      const { status, stderr } = user.run('run', uniqueId());
      assert.equal(status, 1, name);
      assert.match(stderr, text, name);
      assert.equal(stderr.trim().split('\n').length, 1, stderr);
      assert.deepEqual(idsOf(user), [], name);
    }
  });

  // As Podman does for an ordinary user: the caller is root of a user namespace, the config has none.
  const within = ['unshare', '--user', '--map-root-user'];
  test(`${runtime.name}: root of a user namespace gets the default devices beside those that are mounted`, {
    skip: skip || missing('unshare'),
  }, (t) => {
    const user = ordinary(t, runtime.command, within);
    user.configure((spec) => {
      spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'user');
      delete spec.linux.uidMappings;
      delete spec.linux.gidMappings;
      for (const name of ['null', 'zero'])
        spec.mounts.push({
          destination: `/dev/${name}`,
          type: 'bind',
          source: `/dev/${name}`,
          options: ['bind'],
        });
    });
    const script = 'for i in null zero full random urandom tty; do test -c /dev/$i && echo $i; done';
    assert.equal(print(user, script), 'null\nzero\nfull\nrandom\nurandom\ntty\n');
  });

  test(`${runtime.name}: root of a user namespace can give a container its /proc`, {
    skip: skip || missing('unshare'),
  }, (t) => {
    const user = ordinary(t, runtime.command, within);
    user.configure((spec) => {
      spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== 'user' && type !== 'pid');
      delete spec.linux.uidMappings;
      delete spec.linux.gidMappings;
      spec.mounts = spec.mounts.map((mount) =>
        mount.destination === '/proc'
          ? { destination: '/proc', type: 'bind', source: '/proc', options: ['rbind', 'nosuid', 'noexec'] }
          : mount,
      );
    });
    const id = readlinkSync('/proc/self/ns/pid');
    assert.equal(print(user, 'readlink /proc/self/ns/pid'), `${id}\n`);
  });
}
