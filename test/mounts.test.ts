/** `mounts` of config.json: options, types, data, propagation, as the container reads them back. */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Mount } from '../src/spec/types.ts';
import { atEnd, mountPoints, privateWorld, runtimes, session, temporaryFolder } from './harness/index.ts';
import { failureOf, JSON_LOG } from './support/errors.ts';
import { look, lookAt, scriptBundle, testsOf } from './support/inside.ts';
import { type MountLine, mountAt, parseMountinfo } from './support/status.ts';

const { skip } = privateWorld();

/** Mounts on the host's side; gone with the folder it is in. */
function mount(...args: string[]): void {
  const { status, stderr } = spawnSync('mount', args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
}

/** A folder with a file, and with a tmpfs mounted in it. */
function nestedSource(t: TestContext): string {
  const source = join(temporaryFolder(t), 'source');
  mkdirSync(join(source, 'below'), { recursive: true });
  writeFileSync(join(source, 'file'), 'of the host\n');
  mount('-t', 'tmpfs', 'below', join(source, 'below'));
  return source;
}

const MOUNTINFO = { mounts: 'cat /proc/self/mountinfo' };

/** Options of `mount` by the option of the config: what is in mountinfo, and what must not be. */
const ATTRIBUTES: readonly (readonly [options: string[], present: string[], absent: string[]])[] = [
  [[], ['rw', 'relatime'], ['nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime', 'nosymfollow']],
  [['defaults'], ['rw', 'relatime'], []],
  [['ro'], ['ro'], ['rw']],
  [['rw'], ['rw'], ['ro']],
  [['ro', 'rw'], ['rw'], ['ro']],
  [['rw', 'ro'], ['ro'], ['rw']],
  [['nosuid'], ['nosuid'], []],
  [['nosuid', 'suid'], [], ['nosuid']],
  [['nodev'], ['nodev'], []],
  [['nodev', 'dev'], [], ['nodev']],
  [['noexec'], ['noexec'], []],
  [['noexec', 'exec'], [], ['noexec']],
  [['noatime'], ['noatime'], ['relatime']],
  [['noatime', 'relatime'], ['relatime'], ['noatime']],
  [['strictatime'], [], ['relatime', 'noatime']],
  [['strictatime', 'noatime'], ['noatime'], ['relatime']],
  [['strictatime', 'rnoatime'], ['noatime'], ['relatime']],
  [['nodiratime'], ['nodiratime'], []],
  [['nodiratime', 'diratime'], [], ['nodiratime']],
  [['nosuid', 'nodev', 'noexec', 'ro', 'noatime'], ['nosuid', 'nodev', 'noexec', 'ro', 'noatime'], []],
];

function checkAttributes(mounts: MountLine[], folder: string): void {
  ATTRIBUTES.forEach(([options, present, absent], i) => {
    const line = mountAt(mounts, `${folder}/${i}`);
    const what = `${folder} with [${options}]: ${line.options}`;
    for (const name of present) assert.ok(line.options.includes(name), `${name} in ${what}`);
    for (const name of absent) assert.ok(!line.options.includes(name), `${name} not in ${what}`);
  });
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('attributes of file systems and of binds', (t) => {
    const source = nestedSource(t);
    const seen = look(t, runtime, MOUNTINFO, {
      own: () => {},
      config: (spec) => {
        ATTRIBUTES.forEach(([options], i) => {
          spec.mounts.push({ destination: `/tmpfs/${i}`, type: 'tmpfs', source: 'x', options: [...options] });
          spec.mounts.push({
            destination: `/bind/${i}`,
            type: 'none',
            source,
            options: ['bind', ...options],
          });
        });
      },
    });
    const mounts = parseMountinfo(seen.mounts!);
    checkAttributes(mounts, '/tmpfs');
    checkAttributes(mounts, '/bind');
    // bind without r: nothing from below.
    assert.ok(!mounts.some(({ point }) => point.startsWith('/bind/') && point.endsWith('/below')));
  });

  it('nosymfollow, and flags of the file system', (t) => {
    const seen = look(
      t,
      runtime,
      { ...MOUNTINFO, follow: 'ln -s /etc/passwd /nosym/link; cat /nosym/link' },
      {
        own: () => {},
        config: (spec) => {
          const add = (destination: string, ...options: string[]): void =>
            void spec.mounts.push({ destination, type: 'tmpfs', source: 'tmpfs', options });
          add('/nosym', 'nosymfollow');
          add('/sync', 'sync');
          add('/async', 'async');
          add('/dirsync', 'dirsync');
          add('/lazytime', 'lazytime');
          add('/quiet', 'silent', 'noiversion', 'nolazytime', 'loud');
        },
      },
    );
    const mounts = parseMountinfo(seen.mounts!);
    assert.ok(mountAt(mounts, '/nosym').options.includes('nosymfollow'));
    assert.match(seen.follow!, /Too many levels of symbolic links/);
    assert.ok(mountAt(mounts, '/sync').superOptions.includes('sync'));
    assert.ok(!mountAt(mounts, '/async').superOptions.includes('sync'));
    assert.ok(mountAt(mounts, '/dirsync').superOptions.includes('dirsync'));
    assert.ok(mountAt(mounts, '/lazytime').superOptions.includes('lazytime'));
    assert.equal(mountAt(mounts, '/quiet').type, 'tmpfs');
  });

  it('recursive attributes reach what is mounted below, plain ones do not', (t) => {
    const source = nestedSource(t);
    const options: Record<string, string[]> = {
      plain: ['ro', 'nosuid', 'noexec'],
      rro: ['rro'],
      rnosuid: ['rnosuid'],
      rnodev: ['rnodev'],
      rnoexec: ['rnoexec'],
      rnoatime: ['rnoatime'],
      rstrictatime: ['rstrictatime'],
      rnodiratime: ['rnodiratime'],
      rnosymfollow: ['rnosymfollow'],
      mixed: ['rro', 'rnosuid', 'nodev'],
      stricter: ['rro', 'rw'],
    };
    const seen = look(
      t,
      runtime,
      {
        ...MOUNTINFO,
        top: 'touch /plain/x',
        below: 'touch /plain/below/x && echo ok',
        rro: 'touch /rro/below/y',
      },
      {
        own: () => {},
        config: (spec) => {
          for (const [name, more] of Object.entries(options))
            spec.mounts.push({ destination: `/${name}`, source, options: ['rbind', ...more] });
        },
      },
    );
    const mounts = parseMountinfo(seen.mounts!);
    const of = (point: string): string[] => mountAt(mounts, point).options;
    assert.ok(['ro', 'nosuid', 'noexec'].every((name) => of('/plain').includes(name)));
    assert.ok(['ro', 'nosuid', 'noexec'].every((name) => !of('/plain/below').includes(name)));
    for (const name of ['ro', 'nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime', 'nosymfollow']) {
      for (const point of [`/r${name}`, `/r${name}/below`]) {
        assert.ok(of(point).includes(name), `${name} at ${point}: ${of(point)}`);
      }
    }
    for (const point of ['/rstrictatime', '/rstrictatime/below']) {
      assert.ok(!of(point).some((name) => name === 'relatime' || name === 'noatime'), `${of(point)}`);
    }
    assert.ok(['ro', 'nosuid', 'nodev'].every((name) => of('/mixed').includes(name)));
    assert.deepEqual(
      ['ro', 'nosuid', 'nodev'].map((name) => of('/mixed/below').includes(name)),
      [true, true, false],
    );
    // What is for the tree comes last, whatever the order.
    for (const point of ['/stricter', '/stricter/below']) assert.ok(of(point).includes('ro'), point);
    assert.match(seen.top!, /Read-only file system/);
    assert.equal(seen.below, 'ok');
    assert.match(seen.rro!, /Read-only file system/);
  });

  it('what the options forbid is forbidden', (t) => {
    const seen = look(
      t,
      runtime,
      {
        noexec: 'cp /bin/busybox /noexec/cat; /noexec/cat /etc/group',
        nodev: 'mknod /nodev/null c 1 3; cat /nodev/null',
        ro: 'touch /ro/x',
        rw: 'touch /rw/x && cp /bin/busybox /rw/true && /rw/true && echo ok',
      },
      {
        own: () => {},
        config: (spec) => {
          for (const name of ['noexec', 'nodev', 'ro', 'rw'])
            spec.mounts.push({ destination: `/${name}`, type: 'tmpfs', source: 'tmpfs', options: [name] });
        },
      },
    );
    assert.match(seen.noexec!, /Permission denied/);
    assert.match(seen.nodev!, /Permission denied/);
    assert.match(seen.ro!, /Read-only file system/);
    assert.equal(seen.rw, 'ok');
  });

  it('propagation of each mount', (t) => {
    const wanted: Record<string, [string[], string[]]> = {
      none: [[], []],
      private: [['private'], []],
      rprivate: [['rprivate'], []],
      shared: [['shared'], ['shared']],
      rshared: [['rshared'], ['shared']],
      unbindable: [['unbindable'], ['unbindable']],
      runbindable: [['runbindable'], ['unbindable']],
      slaveOfShared: [['shared', 'slave'], []],
    };
    const seen = look(t, runtime, MOUNTINFO, {
      own: () => {},
      config: (spec) => {
        for (const [name, [options]] of Object.entries(wanted))
          spec.mounts.push({ destination: `/${name}`, type: 'tmpfs', source: 'tmpfs', options });
      },
    });
    const mounts = parseMountinfo(seen.mounts!);
    for (const [name, [, propagation]] of Object.entries(wanted))
      assert.deepEqual(mountAt(mounts, `/${name}`).propagation, propagation, name);
  });

  // The kernel gives up on `..` within a root when anything is renamed meanwhile, anywhere: openat2(2), EAGAIN.
  it('paths with .. while the host renames files', (t) => {
    const folder = temporaryFolder(t);
    const script =
      'const f = require("fs"); f.writeFileSync("a", ""); for (;;) { f.renameSync("a", "b"); f.renameSync("b", "a"); }';
    const renaming = spawn(process.execPath, ['-e', script], { cwd: folder, stdio: 'ignore' });
    atEnd(t, 'containers', () => void renaming.kill('SIGKILL'));
    const path = '/up/etc/passwd';
    const seen = look(
      t,
      runtime,
      { write: 'echo x >>/etc/passwd' },
      {
        own: (rootfs) => symlinkSync('../../..', join(rootfs, 'up')),
        config: (spec) => {
          spec.linux.readonlyPaths = Array.from({ length: 300 }, () => path);
        },
      },
    );
    assert.match(seen.write!, /Read-only file system/);
  });

  it('an unbindable mount where none is shared', (t) => {
    const seen = look(t, runtime, MOUNTINFO, {
      config: (spec) => {
        const options = ['unbindable', 'mode=0700'];
        spec.mounts.push({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options });
      },
    });
    assert.deepEqual(mountAt(parseMountinfo(seen.mounts!), '/tmp').propagation, ['unbindable']);
  });

  for (const rootfsPropagation of [undefined, 'rshared'] as const) {
    it(`binds of a shared mount, rootfsPropagation ${rootfsPropagation ?? 'not given'}`, async (t) => {
      const kinds = ['rprivate', 'rslave', 'rshared'];
      const shared = join(temporaryFolder(t), 'shared');
      mkdirSync(shared);
      mount('-t', 'tmpfs', 'shared', shared);
      mount('--make-shared', shared);
      for (const name of [...kinds.map((kind) => `of-${kind}`), 'late']) mkdirSync(join(shared, name));
      const s = session(t, runtime);
      const script = `${kinds.map((kind) => `mount -t tmpfs inside /${kind}/of-${kind}`).join('; ')}
         touch /rslave/ready; i=0
         while [ ! -e /rslave/go ] && [ $i -lt 200 ]; do sleep 0.05; i=$((i+1)); done
         for kind in ${kinds.join(' ')}; do [ -e /$kind/late/seen ] && echo $kind; done
         umount /rshared/of-rshared`;
      const bundle = scriptBundle(t, script, {
        own: () => {},
        config: (spec) => {
          spec.linux.rootfsPropagation = rootfsPropagation;
          for (const set of ['bounding', 'effective', 'permitted'] as const)
            spec.process.capabilities![set]!.push('CAP_SYS_ADMIN');
          for (const kind of kinds)
            spec.mounts.push({ destination: `/${kind}`, source: shared, options: ['rbind', kind] });
        },
      });
      const { id, output } = s.detach(bundle);
      for (let i = 0; i < 200 && !readdirSync(shared).includes('ready'); i++) await delay(20);
      const fromInside = mountPoints().filter((point) => point.startsWith(`${shared}/of-`));
      mount('-t', 'tmpfs', 'late', join(shared, 'late'));
      writeFileSync(join(shared, 'late/seen'), '');
      writeFileSync(join(shared, 'go'), '');
      await s.waitFor(id, 'stopped');
      spawnSync('umount', [join(shared, 'late')]);
      // The container's mounts are slaves of the host's unless the root says otherwise; rshared is among themselves then.
      assert.equal(output(), 'rslave\nrshared\n');
      assert.deepEqual(fromInside, rootfsPropagation === 'rshared' ? [join(shared, 'of-rshared')] : []);
    });
  }

  it('data options go to the file system', (t) => {
    const seen = look(
      t,
      runtime,
      { ...MOUNTINFO, stat: 'stat -c "%a %u %g" /data /default /pts', size: 'df -k /data | tail -1' },
      {
        own: () => {},
        config: (spec) => {
          spec.mounts.push(
            {
              destination: '/data',
              type: 'tmpfs',
              source: 'named',
              options: ['size=1m', 'mode=0710', 'uid=12', 'gid=34', 'nr_inodes=50', 'nosuid'],
            },
            { destination: '/default', type: 'tmpfs', source: 'tmpfs' },
            {
              destination: '/pts',
              type: 'devpts',
              source: 'devpts',
              options: ['newinstance', 'mode=0600', 'gid=5', 'max=7'],
            },
          );
        },
      },
    );
    const mounts = parseMountinfo(seen.mounts!);
    const data = mountAt(mounts, '/data');
    assert.equal(data.source, 'named');
    for (const option of ['size=1024k', 'mode=710', 'uid=12', 'gid=34', 'nr_inodes=50'])
      assert.ok(data.superOptions.includes(option), `${option}: ${data.superOptions}`);
    assert.ok(mountAt(mounts, '/pts').superOptions.includes('max=7'));
    const [of, ofDefault] = seen.stat!.split('\n');
    assert.equal(of, '710 12 34');
    // A folder that was not there: as with runc 1.2 and crun, the mode of a tmpfs on its own.
    assert.equal(ofDefault, '1777 0 0');
    assert.match(seen.size!, /named +1024 /);
  });

  it('a tmpfs has the mode of the folder that it covers, unless it is given one', (t) => {
    const seen = look(
      t,
      runtime,
      { stat: 'stat -c "%a" /strict /open /told /dev/new' },
      {
        own: (rootfs) => {
          mkdirSync(join(rootfs, 'strict'), { mode: 0o700 });
          mkdirSync(join(rootfs, 'open'), { mode: 0o755 });
          mkdirSync(join(rootfs, 'told'), { mode: 0o700 });
        },
        config: (spec) => {
          for (const destination of ['/strict', '/open', '/dev/new'])
            spec.mounts.push({ destination, type: 'tmpfs', source: 'tmpfs' });
          spec.mounts.push({ destination: '/told', type: 'tmpfs', source: 'tmpfs', options: ['mode=0555'] });
        },
      },
    );
    assert.equal(seen.stat, '700\n755\n555\n1777');
  });

  it('file systems of the kernel, and overlay', (t) => {
    const folder = temporaryFolder(t);
    for (const name of ['lower', 'upper', 'work']) mkdirSync(join(folder, name));
    writeFileSync(join(folder, 'lower/low'), 'low\n');
    const seen = look(
      t,
      runtime,
      { ...MOUNTINFO, overlay: 'cat /overlay/low; echo x > /overlay/new' },
      {
        own: () => {},
        config: (spec) => {
          spec.mounts.push(
            {
              destination: '/overlay',
              type: 'overlay',
              source: 'overlay',
              options: [`lowerdir=${folder}/lower`, `upperdir=${folder}/upper`, `workdir=${folder}/work`],
            },
            { destination: '/ram', type: 'ramfs', source: 'ramfs' },
          );
        },
      },
    );
    const mounts = parseMountinfo(seen.mounts!);
    const types = Object.fromEntries(mounts.map(({ point, type }) => [point, type]));
    for (const [point, type] of Object.entries({
      '/proc': 'proc',
      '/dev': 'tmpfs',
      '/dev/pts': 'devpts',
      '/dev/shm': 'tmpfs',
      '/dev/mqueue': 'mqueue',
      '/sys': 'sysfs',
      '/overlay': 'overlay',
      '/ram': 'ramfs',
    }))
      assert.equal(types[point], type, point);
    assert.equal(seen.overlay, 'low');
    assert.deepEqual(readdirSync(join(folder, 'upper')), ['new']);
  });

  it('binds of folders, files, devices and sockets, relative to the bundle', (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, 'file'), 'content\n');
    const seen = look(
      t,
      runtime,
      {
        file: 'cat /made/file',
        dev: 'ls -l /made/null | cut -c1; echo > /made/null',
        own: 'ls /made/bundle',
      },
      {
        own: () => {},
        config: (spec) => {
          spec.mounts.push(
            { destination: '/made/file', source: join(folder, 'file'), options: ['bind', 'ro'] },
            { destination: '/made/null', type: 'bind', source: '/dev/null', options: ['bind'] },
            { destination: '/made/bundle', type: 'none', source: '.', options: ['rbind', 'ro'] },
          );
        },
      },
    );
    assert.deepEqual(seen, { file: 'content', dev: 'c', own: 'config.json\nrootfs' });
  });

  it('mounts are made in order', (t) => {
    const folder = temporaryFolder(t);
    for (const name of ['one', 'two']) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, name), '');
    }
    const seen = look(
      t,
      runtime,
      { over: 'ls /over', within: 'ls /within /within/two', gone: 'ls /gone' },
      {
        own: () => {},
        config: (spec) => {
          const bind = (destination: string, name: string): Mount => ({
            destination,
            source: join(folder, name),
            options: ['bind'],
          });
          spec.mounts.push(
            bind('/over', 'one'),
            bind('/over', 'two'),
            { destination: '/within', type: 'tmpfs', source: 'tmpfs' },
            bind('/within/two', 'two'),
            bind('/gone/one', 'one'),
            { destination: '/gone', type: 'tmpfs', source: 'tmpfs' },
          );
        },
      },
    );
    assert.deepEqual(seen, { over: 'two', within: '/within:\ntwo\n\n/within/two:\ntwo', gone: '' });
  });

  it('five hundred mounts', (t) => {
    const seen = look(
      t,
      runtime,
      { count: 'grep -c " /many/" /proc/self/mountinfo', fds: 'ulimit -n' },
      {
        own: () => {},
        config: (spec) => {
          // Fewer than there are mounts: each is closed when it is attached.
          spec.process.rlimits = [{ type: 'RLIMIT_NOFILE', soft: 100, hard: 100 }];
          for (let i = 0; i < 500; i++)
            spec.mounts.push({
              destination: `/many/${i}`,
              type: 'bind',
              source: '/usr',
              options: ['bind', 'ro'],
            });
        },
      },
    );
    assert.deepEqual(seen, { count: '500', fds: '100' });
  });

  it('the container’s mounts are nowhere on the host', (t) => {
    const s = session(t, runtime);
    const before = mountPoints();
    const bundle = scriptBundle(t, 'true', {
      config: (spec) => {
        spec.mounts.push({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs' });
      },
    });
    const { code, output } = s.create(bundle);
    assert.equal(code, 0, output());
    assert.deepEqual(mountPoints(), before);
  });

  it('what can’t be mounted is an error that names the mount', (t) => {
    const cases: [Mount, RegExp][] = [
      [{ destination: '/x', type: 'nosuchfs', source: 'x' }, /mounts\[6\]: mount\(.*nosuchfs.*ENODEV/],
      [
        { destination: '/x', source: '/no/such/source', options: ['bind'] },
        /mounts\[6\]\.source: open_tree\(.*\/no\/such\/source.*ENOENT/,
      ],
      [
        { destination: '/x', type: 'tmpfs', source: 'x', options: ['nonsense=1'] },
        /mounts\[6\]: fsconfig\(.*"nonsense".*EINVAL.*: the option "nonsense=1" is refused: tmpfs: Unknown parameter 'nonsense'$/,
      ],
      [
        { destination: '/x', type: 'tmpfs', source: 'x', options: ['mode=700', 'size=abc'] },
        /mounts\[6\]: mount\(.*EINVAL.*: the option "size=abc" is refused: tmpfs: Bad value for 'size'$/,
      ],
      [{ destination: '/etc/passwd', source: '/usr', options: ['bind'] }, /mounts\[6\]: .*not a directory/],
      [
        { destination: '/etc', source: '/etc/passwd', options: ['bind'] },
        /mounts\[6\]: .*EINVAL.*not a directory/,
      ],
      [{ destination: '/etc/passwd/x', type: 'tmpfs', source: 'x' }, /mounts\[6\]: .*ENOTDIR/],
      [
        { destination: '/proc/self', type: 'tmpfs', source: 'x' },
        /mounts\[6\]\.destination: .*inside \/proc/,
      ],
      [{ destination: '/proc', source: '/usr', options: ['bind'] }, /mounts\[6\]\.destination: .*\/proc/],
      [
        { destination: '/x', source: '/usr', options: ['bind', 'size=3', 'nosiud'] },
        /mounts\[6\]\.options: bind mounts cannot have any filesystem-specific options applied: "nosiud"/,
      ],
    ];
    for (const [entry, pattern] of cases) {
      const result = lookAt(t, runtime, 'echo ran', {
        globals: JSON_LOG,
        own: () => {},
        config: (spec) => void spec.mounts.push(entry),
      });
      assert.equal(result.stdout, '');
      const { exit, msg } = failureOf(result);
      assert.equal(exit, 1);
      assert.match(msg, pattern);
    }
  });

  it('what a bind mount can’t do is left out, with a warning', (t) => {
    const { code, stderr } = lookAt(t, runtime, 'test -d /x/bin', {
      config: (spec) => {
        spec.mounts.push({ destination: '/x', source: '/usr', options: ['bind', 'size=3', 'mode=700'] });
      },
    });
    assert.equal(code, 0);
    assert.match(stderr, /level=warning msg="mounts\[6\]\.options: ignored, .*: \\"size\\", \\"mode\\""/);
  });
}
