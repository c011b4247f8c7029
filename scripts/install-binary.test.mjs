import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { root } from './lib.mjs';

const scratch = mkdtempSync(join(tmpdir(), 'runts-install-test-'));
after(() => rmSync(scratch, { recursive: true }));

/** @param {string[]} args */
function install(...args) {
  return spawnSync(process.execPath, ['scripts/install-binary.mjs', ...args], {
    cwd: root,
    encoding: 'utf8',
  });
}

/** @param {string} file */
function version(file) {
  return spawnSync(file, ['--version'], {
    encoding: 'utf8',
    cwd: '/',
    env: { PATH: join(process.execPath, '..') },
  });
}

it('installs what works from where it is moved to, and removes it', () => {
  const destdir = join(scratch, 'stage');
  const installed = install('--prefix', '/opt/x', '--destdir', destdir);
  assert.equal(installed.status, 0, installed.stderr);
  assert.equal(readlinkSync(join(destdir, 'opt/x/bin/runts')).startsWith('../lib/runts/'), true);

  const moved = join(scratch, 'a folder with spaces');
  renameSync(join(destdir, 'opt/x'), moved);
  const { stdout, stderr } = version(join(moved, 'bin/runts'));
  assert.match(stdout, /^runts version \d/, stderr);
  // What else it finds is the host's.
  const doctor = spawnSync(join(moved, 'bin/runts'), ['doctor', '--json'], { encoding: 'utf8' });
  const [{ name, verdict, found }] = JSON.parse(doctor.stdout);
  assert.deepEqual([name, verdict], ['runts', 'ok'], found);

  // Again over what is there, then away with it; somebody else's file stays.
  assert.equal(install('--prefix', moved).status, 0);
  writeFileSync(join(moved, 'bin/other'), '');
  const removed = install('--prefix', moved, '--uninstall');
  assert.equal(removed.status, 0, removed.stderr);
  assert.deepEqual(readdirSync(join(moved, 'bin')), ['other']);
  assert.equal(existsSync(join(moved, 'lib/runts')), false);
});

it("leaves a runts alone that isn't its own", () => {
  const prefix = join(scratch, 'foreign');
  mkdirSync(join(prefix, 'bin'), { recursive: true });
  cpSync('/bin/true', join(prefix, 'bin/runts'));
  for (const args of [[], ['--uninstall']]) {
    const { status, stderr } = install('--prefix', prefix, ...args);
    assert.equal(status, 1);
    assert.match(stderr, /^error: .*bin\/runts was not installed by this script/);
  }
  assert.equal(existsSync(join(prefix, 'lib')), false);
});

it('refuses what it does not understand', () => {
  assert.match(install('--prefix', 'relative').stderr, /^error: --prefix must be an absolute path: relative/);
  assert.match(install('--prefx=/x').stderr, /^error: Unknown option '--prefx'[\s\S]*Usage:/);
  assert.match(
    install('--prefix', '/dev/null').stderr,
    /^error: ENOTDIR.*\/dev\/null.*--prefix and --destdir/,
  );
  assert.equal(install('--help').status, 0);
});
