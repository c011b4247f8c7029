/** The binary for arm64 as another machine builds it, started under an emulator. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { buildForArm64 } from '../conformance/arm64/build.ts';
import { noCrossTools, toolchainFor } from './build-program.mjs';
import { root } from './lib.mjs';

const binary = join(root, 'dist/runts.arm64');
const EM_AARCH64 = 183;

const skip = process.arch === 'arm64' ? 'this machine is one' : noCrossTools('arm64');

describe('dist/runts.arm64', { skip }, () => {
  const scratch = mkdtempSync(join(tmpdir(), 'runts-arm64-test-'));
  after(() => rmSync(scratch, { recursive: true }));

  /** @param {string} file @param {readonly string[]} args */
  const run = (file, args) => {
    const env = { PATH: process.env.PATH };
    const { status, stdout, stderr } = spawnSync(file, args, { cwd: scratch, encoding: 'utf8', env });
    return { status, stdout, stderr };
  };
  /** @param {string[]} args */
  const emulated = (...args) => {
    const [file = '', ...first] = toolchainFor('arm64').emulator;
    return run(file, [...first, binary, ...args]);
  };
  /** @param {string[]} args */
  const here = (...args) => run(join(root, 'dist/runts'), args);

  before(buildForArm64);

  it('is for that machine, with the executor for it', () => {
    const content = readFileSync(binary);
    assert.equal(content.readUInt16LE(18), EM_AARCH64);
    const executor = (/** @type {string} */ name) => readFileSync(join(root, 'dist', name)).toString('hex');
    assert.ok(content.includes(executor('executor.arm64')));
    assert.ok(!content.includes(executor('executor')));
  });

  it('tells its version', () => {
    assert.deepEqual(emulated('--version'), here('--version'));
  });

  it('makes the same config, and validates it', () => {
    assert.deepEqual(emulated('spec'), { status: 0, stdout: '', stderr: '' });
    const made = readFileSync(join(scratch, 'config.json'), 'utf8');
    rmSync(join(scratch, 'config.json'));
    assert.equal(here('spec').status, 0);
    // What libseccomp or the processor has is not in it.
    assert.equal(made, readFileSync(join(scratch, 'config.json'), 'utf8'));
    assert.deepEqual(emulated('validate', '--bundle', '.'), here('validate', '--bundle', '.'));
  });

  it('tells what it implements', () => {
    const features = (/** @type {string} */ text) => {
      const { linux, ...rest } = JSON.parse(text);
      // Those of the kernel and of libseccomp, which may be another one.
      delete linux.seccomp.supportedFlags;
      return { linux, ...rest };
    };
    const { status, stdout, stderr } = emulated('features');
    assert.deepEqual([status, stderr], [0, '']);
    assert.deepEqual(features(stdout), features(here('features').stdout));
  });

  it('tells of a container that is not there', () => {
    const { status, stdout, stderr } = emulated('--root', scratch, 'state', 'nobody');
    assert.deepEqual([status, stdout], [1, '']);
    assert.match(stderr, /^time="[^"]*" level=error msg="container does not exist: nobody"\n$/);
  });

  it('finds what is wrong with a config', () => {
    const config = { ociVersion: 'x', process: { args: [], cwd: 'a' }, root: { path: 1 }, mounts: [{}] };
    writeFileSync(join(scratch, 'config.json'), JSON.stringify(config));
    const found = emulated('validate', '--bundle', '.');
    assert.equal(found.status, 1);
    assert.match(found.stdout + found.stderr, /process\.cwd: /);
    assert.deepEqual(found, here('validate', '--bundle', '.'));
  });

  for (const name of ['hello', 'userns']) {
    it(`plans the bundle ${name} as it is planned here`, () => {
      const bundle = join(root, 'bundles', name);
      const { status, stdout } = emulated('plan', '--bundle', bundle);
      assert.equal(status, 0);
      assert.equal(stdout, here('plan', '--bundle', bundle).stdout);
    });
  }

  it('takes more memory than its image has', () => {
    const env = Array.from({ length: 30_000 }, (_, i) => `NAME_${i}=${'x'.repeat(100)}`);
    const config = { ociVersion: '1.3.0', process: { args: ['a'], cwd: '/', env }, root: { path: 'x' } };
    writeFileSync(join(scratch, 'config.json'), JSON.stringify(config));
    assert.deepEqual(emulated('validate', '--bundle', '.'), here('validate', '--bundle', '.'));
  });
});
