/**
 * What lies around where the runtime is called: a bundle is somebody else's folder, and callers make it the working
 * directory. Nothing in it, nor in /tmp, nor in the container, is code for the runtime.
 */

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { privateWorld, runtimes, session, tempBundle, temporaryFolder } from '../harness/index.ts';
import { testsOf } from '../support/inside.ts';

const { skip } = privateWorld();

/** Files that an engine, a loader or a package manager might read, each of which would leave a mark. */
function plant(folder: string, mark: string): void {
  const script = `require('node:fs').writeFileSync(${JSON.stringify(mark)}, 'ran');`;
  const files: Record<string, string> = {
    '.env': `NODE_OPTIONS=--require ${folder}/evil.cjs\nBUN_OPTIONS=--preload ${folder}/evil.cjs\nPATH=/nowhere\nRUNTS_ROOT=${folder}\n`,
    '.env.local': `BUN_INSPECT_PRELOAD=${folder}/evil.cjs\n`,
    '.env.production': 'XDG_RUNTIME_DIR=/nowhere\n',
    'bunfig.toml': `preload = ["./evil.cjs"]\n[run]\npreload = ["./evil.cjs"]\n[test]\npreload = ["./evil.cjs"]\n`,
    'tsconfig.json': '{"compilerOptions":{"paths":{"*":["./evil.cjs"]}}}',
    'package.json': '{"name":"evil","main":"evil.cjs","imports":{"#*":"./evil.cjs"},"type":"commonjs"}',
    '.npmrc': `node-options=--require ${folder}/evil.cjs\n`,
    'evil.cjs': script,
    'index.js': script,
    'node_modules/koffi/index.js': script,
    'node_modules/koffi/package.json': '{"name":"koffi","main":"index.js"}',
    'node_modules/ajv/index.js': script,
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  // What is no ELF file fails to load: it would be seen as an error.
  for (const name of [
    'koffi.node',
    'executor',
    'libseccomp.so.2',
    'libc.so.6',
    'runts',
    'dist/koffi.node',
    'dist/executor',
  ]) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), 'no program', { mode: 0o755 });
  }
}

for (const runtime of runtimes()) {
  const it = testsOf(runtime, skip);

  it('files in the bundle, as working directory and as root, are never read as code or configuration', (t) => {
    const mark = join(temporaryFolder(t), 'mark');
    const bundle = tempBundle(t, { args: ['sh', '-c', 'echo ran $HOME'] });
    plant(bundle.path, mark);
    plant(bundle.rootfs, mark);
    const s = session(t, runtime);
    for (const cwd of [bundle.path, bundle.rootfs]) {
      const { code, stdout, stderr } = s.run(bundle, { cwd });
      assert.deepEqual([code, stdout, stderr], [0, 'ran /root\n', ''], cwd);
      const { id, output } = s.create(bundle, { cwd });
      assert.equal(output(), '');
      for (const args of [
        ['state', id],
        ['list'],
        ['start', id],
        ['features'],
        ['--version'],
        ['delete', '--force', id],
      ])
        s.ok(args, { cwd });
      assert.ok(!existsSync(mark), cwd);
    }
  });

  it('nothing planted in /tmp is loaded, nor is anything left there', (t) => {
    const mark = join(temporaryFolder(t), 'mark');
    const folder = temporaryFolder(t);
    plant(folder, mark);
    const bundle = tempBundle(t, { args: ['true'] });
    const natives = (): string[] =>
      readdirSync(tmpdir()).filter((name) => /\.(node|so)$|^\.?bun/i.test(name));
    const before = natives();
    const env = { ...process.env, TMPDIR: folder, BUN_TMPDIR: folder, TMP: folder, TEMP: folder } as Record<
      string,
      string
    >;
    delete env.NODE_TEST_CONTEXT;
    const planted = readdirSync(folder).sort();
    const { code, stderr } = session(t, runtime).run(bundle, { env, cwd: folder });
    assert.deepEqual([code, stderr], [0, '']);
    assert.ok(!existsSync(mark));
    assert.deepEqual(readdirSync(folder).sort(), planted);
    assert.deepEqual(natives(), before);
  });

  it('HOME and the caller’s configuration folders have no say', (t) => {
    const mark = join(temporaryFolder(t), 'mark');
    const home = temporaryFolder(t);
    plant(home, mark);
    plant(join(home, '.config'), mark);
    writeFileSync(join(home, '.bunfig.toml'), 'preload = ["./evil.cjs"]\n');
    const env = { PATH: process.env.PATH ?? '', HOME: home, XDG_CONFIG_HOME: join(home, '.config') };
    const { code, stderr } = session(t, runtime).run(tempBundle(t, { args: ['true'] }), { env, cwd: home });
    assert.deepEqual([code, stderr], [0, '']);
    assert.ok(!existsSync(mark));
  });

  it('the container’s environment is none of the caller’s', (t) => {
    const env = {
      PATH: process.env.PATH ?? '',
      LD_LIBRARY_PATH: '/evil',
      SECRET: 'of the host',
      LISTEN_PID: '1',
    };
    const { stdout } = session(t, runtime).run(tempBundle(t, { args: ['env'] }), { env });
    assert.deepEqual(stdout.trim().split('\n').sort(), ['HOME=/root', 'PATH=/bin:/usr/bin', 'TERM=xterm']);
  });

  it('LD_PRELOAD and LD_LIBRARY_PATH of the container’s environment reach its command only', (t) => {
    const bundle = tempBundle(t, {
      args: ['sh', '-c', 'echo $LD_PRELOAD $LD_LIBRARY_PATH'],
      config: (spec) => void spec.process.env.push('LD_PRELOAD=/lib/evil.so', 'LD_LIBRARY_PATH=/lib/evil'),
    });
    const { code, stdout, stderr } = session(t, runtime).run(bundle);
    assert.deepEqual([code, stdout, stderr], [0, '/lib/evil.so /lib/evil\n', '']);
  });
}
