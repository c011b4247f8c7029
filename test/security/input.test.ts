/** Ids, paths and strings that try to mean more than they should: CVE-2021-43784, path traversal, NUL bytes. */

import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { privateWorld, runtimes, session, tempBundle, temporaryFolder } from '../harness/index.ts';
import { testsOf } from '../support/inside.ts';

const { skip } = privateWorld();

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('an id is one plain name', (t) => {
    const s = session(t, runtime);
    const bundle = tempBundle(t, { args: ['true'] });
    const folder = join(s.root, '..');
    const before = readdirSync(folder).sort();
    const ids = [
      '..',
      '.',
      '../x',
      'a/b',
      '/etc',
      'a/../../b',
      'x\ny',
      'a b',
      'a%2fb',
      'é',
      '*',
      '$(id)',
      'a\\b',
      '',
    ];
    for (const id of ids) {
      for (const args of [
        ['run', '--bundle', bundle.path, id],
        ['create', '--bundle', bundle.path, id],
        ['state', id],
        ['delete', '--force', id],
        ['kill', id],
        ['start', id],
      ]) {
        const { code, stderr } = s.call(args);
        assert.notEqual(code, 0, `${args.join(' ')}: ${stderr}`);
      }
    }
    assert.deepEqual(
      readdirSync(folder)
        .sort()
        .filter((name) => name !== 'state'),
      before.filter((name) => name !== 'state'),
    );
    assert.ok(existsSync('/etc/passwd'));
  });

  it('NUL bytes are refused wherever they stand', (t) => {
    const s = session(t, runtime);
    const places: ((spec: ReturnType<typeof tempBundle>['config']) => void)[] = [
      (spec) => void spec.process.args.push('a\0b'),
      (spec) => void spec.process.env.push('A=\0'),
      (spec) => {
        spec.process.cwd = '/\0/etc';
      },
      (spec) => {
        spec.hostname = 'a\0b';
      },
      (spec) => void spec.mounts.push({ destination: '/a\0b', type: 'tmpfs', source: 'x' }),
      (spec) => void spec.mounts.push({ destination: '/a', type: 'tm\0pfs', source: 'x' }),
      (spec) => void spec.mounts.push({ destination: '/a', source: '/usr\0x', options: ['bind'] }),
      (spec) =>
        void spec.mounts.push({ destination: '/a', type: 'tmpfs', source: 'x', options: ['size=1\0'] }),
      (spec) => {
        spec.linux.maskedPaths = ['/proc/\0keys'];
      },
      (spec) => {
        spec.linux.readonlyPaths = ['/proc/sys\0'];
      },
      (spec) => {
        spec.linux.sysctl = { 'kernel.msgmax': '1\0' };
      },
      (spec) => {
        spec.linux.cgroupsPath = '/a\0b';
      },
      (spec) => {
        spec.root.path = 'rootfs\0x';
      },
    ];
    for (const place of places) {
      const bundle = tempBundle(t, { args: ['echo', 'ran'], config: place });
      const { code, stdout, stderr } = s.run(bundle);
      assert.deepEqual([code, stdout], [1, ''], place.toString());
      assert.match(stderr, /NUL|u0000/i, place.toString());
    }
  });

  it('CVE-2021-43784: strings longer than any field are whole, or an error', (t) => {
    const long = 'x'.repeat(100_000);
    const bundle = tempBundle(t, {
      args: ['sh', '-c', 'printf %s "$1" | wc -c; printf %s "$A" | wc -c', 'sh', long],
      config: (spec) => void spec.process.env.push(`A=${long}`),
    });
    const s = session(t, runtime);
    assert.equal(s.run(bundle).stdout, '100000\n100000\n');
    // MAX_ARG_STRLEN, execve(2)
    bundle.config.process.args = ['echo', 'x'.repeat(140_000)];
    bundle.save();
    const { code, stderr } = s.run(bundle);
    assert.equal(code, 1);
    assert.match(stderr, /rgument list too long/);
    bundle.config.process.args = ['true'];
    bundle.config.mounts.push({ destination: `/${'long/'.repeat(1000)}x`, type: 'tmpfs', source: 'x' });
    bundle.save();
    const tooLong = s.run(bundle);
    assert.equal(tooLong.code, 1);
    assert.match(tooLong.stderr, /mounts\[6\]\.destination: expected a path of at most 4095 bytes/);
  });

  it('files that the caller names are written as they are named, the log appended to', (t) => {
    const s = session(t, runtime);
    const folder = temporaryFolder(t);
    const log = join(folder, 'log');
    writeFileSync(log, 'before\n');
    const bundle = tempBundle(t, { args: ['/no/such'] });
    s.run(bundle, { globals: ['--log', log] });
    assert.match(readFileSync(log, 'utf8'), /^before\n.*\/no\/such/);
    // A pid file is renamed into place: a symlink is replaced, not followed.
    const victim = join(folder, 'victim');
    writeFileSync(victim, 'precious');
    symlinkSync(victim, join(folder, 'pid'));
    bundle.config.process.args = ['true'];
    bundle.save();
    assert.equal(s.run(bundle, { flags: ['--pid-file', join(folder, 'pid')] }).code, 0);
    assert.equal(readFileSync(victim, 'utf8'), 'precious');
    assert.match(readFileSync(join(folder, 'pid'), 'utf8'), /^\d+$/);
  });

  it('a state folder that somebody else has made is not trusted with more than its content', (t) => {
    const s = session(t, runtime);
    const victim = temporaryFolder(t);
    writeFileSync(join(victim, 'precious'), 'precious');
    mkdirSync(s.root, { recursive: true });
    symlinkSync(victim, join(s.root, 'linked'));
    s.call(['delete', '--force', 'linked']);
    assert.equal(readFileSync(join(victim, 'precious'), 'utf8'), 'precious');
    rmSync(join(s.root, 'linked'), { force: true });
  });
}
