/** What the build promises of its products. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { root } from './lib.mjs';

const binary = join(root, 'dist/runts');
const module = join(root, 'dist/runts.mjs');
const scratch = mkdtempSync(join(tmpdir(), 'runts-build-test-'));
after(() => rmSync(scratch, { recursive: true }));

/** @param {string} file @param {string[]} args @param {import('node:child_process').SpawnSyncOptions} [options] */
function start(file, args, options) {
  return spawnSync(file, args, { encoding: 'utf8', env: {}, ...options });
}

describe('dist/runts', () => {
  it('runs with an empty environment, through a symlink, from any folder', () => {
    const link = join(scratch, 'link');
    symlinkSync(binary, link);
    const result = start(link, ['--version'], { cwd: '/proc' });
    assert.equal(result.stderr, '');
    assert.match(String(result.stdout), /^runts version \d/);
  });

  it('is one file: a copy alone in a folder does everything', () => {
    const copy = join(scratch, 'copy');
    copyFileSync(binary, copy);
    const spec = start(copy, ['spec'], { cwd: scratch });
    assert.deepEqual([spec.status, spec.stderr], [0, '']);
    const plan = start(copy, ['plan'], { cwd: scratch });
    assert.deepEqual([plan.status, plan.stderr], [0, '']);
  });

  it('is the same when it is built again, but for the seed of Math.random', () => {
    const again = join(scratch, 'again');
    const other = readFileSync(binary);
    const build = start(process.execPath, ['scripts/build.mjs', '--again', again], {
      cwd: root,
      env: { PATH: process.env.PATH },
    });
    assert.equal(build.status, 0, String(build.stderr));
    const same = readFileSync(again);
    assert.equal(same.length, other.length);
    let different = 0;
    for (let at = 0; at < same.length; at++) if (same[at] !== other[at]) different++;
    assert.ok(different <= 8, `${different} bytes differ`);
  });

  it('runs nothing that lies in the working directory', () => {
    const folder = join(scratch, 'bundle');
    mkdirSync(folder);
    const trap = `require('fs').writeFileSync('${folder}/trapped', '')`;
    writeFileSync(join(folder, 'trap.js'), trap);
    writeFileSync(join(folder, 'bunfig.toml'), 'preload = ["./trap.js"]\n[run]\npreload = ["./trap.js"]\n');
    writeFileSync(join(folder, '.env'), `BUN_OPTIONS=--preload=${folder}/trap.js\nTRAPPED=1\n`);
    writeFileSync(
      join(folder, 'tsconfig.json'),
      '{ "compilerOptions": { "paths": { "*": ["./trap.js"] } } }',
    );
    writeFileSync(join(folder, 'package.json'), '{ "imports": { "#*": "./trap.js" }, "main": "./trap.js" }');
    for (const args of [
      ['--version'],
      ['validate'],
      ['plan'],
      ['--root', scratch, 'list'],
      ['--root', scratch, 'state', 'x'],
    ]) {
      start(binary, args, { cwd: folder, env: { HOME: folder, XDG_CONFIG_HOME: folder } });
      assert.ok(!existsSync(join(folder, 'trapped')), `runts ${args.join(' ')} ran trap.js`);
    }
  });

  it('names no folder of the machine that built it', () => {
    assert.ok(!readFileSync(binary).includes(`${root}/src`));
  });
});

describe('dist/runts.mjs', () => {
  it('is executable, and runs with only PATH in the environment', () => {
    assert.equal(statSync(module).mode & 0o777, 0o755);
    const result = start(module, ['--version'], { env: { PATH: join(process.execPath, '..') } });
    assert.equal(result.stderr, '');
    assert.match(String(result.stdout), /^runts version \d/);
  });

  it('names no folder of the machine that built it', () => {
    assert.ok(!readFileSync(module, 'utf8').includes(root));
  });
});

describe('npm run build', () => {
  it('does nothing when nothing has changed', () => {
    const stamp = (/** @type {string} */ file) =>
      createHash('sha256').update(readFileSync(file)).digest('hex') + statSync(file).mtimeMs;
    const build = () => {
      const options = { cwd: root, env: { PATH: process.env.PATH } };
      const result = start(process.execPath, ['scripts/build.mjs'], options);
      assert.equal(result.status, 0, String(result.stderr));
    };
    build();
    const before = stamp(module);
    build();
    assert.equal(stamp(module), before);
  });
});
