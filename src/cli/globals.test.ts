import assert from 'node:assert/strict';
import { test } from 'node:test';
import { globalOptions, logOptions } from './globals.ts';
import { parseFlags } from './parse.ts';
import type { Caller } from './root.ts';
import { GLOBAL_FLAGS } from './tables/index.ts';

const CALLER: Caller = { euid: 0, env: {}, inUserNamespace: () => false };

function options(...argv: string[]) {
  const parsed = parseFlags(GLOBAL_FLAGS, argv, 'first-operand');
  return globalOptions(parsed, logOptions(parsed), CALLER);
}

test('the defaults', () => {
  assert.deepEqual(options(), {
    root: '/run/runts',
    rootExplicit: false,
    log: undefined,
    logFormat: 'text',
    logLevel: 'warning',
    systemdCgroup: false,
    cgroupManager: 'cgroupfs',
    rootless: 'auto',
  });
});

test('JSON logs hold errors only, unless more is asked for', () => {
  assert.equal(options('--log-format', 'json').logLevel, 'error');
  assert.equal(options('--log-format', 'json', '--log-level', 'warning').logLevel, 'warning');
  assert.equal(options('--log-format', 'json', '--debug').logLevel, 'debug');
  assert.equal(options('--log-level', 'warn').logLevel, 'warning');
  assert.equal(options('--log-level', 'error', '--debug').logLevel, 'debug');
  assert.equal(options('--debug=false').logLevel, 'warning');
});

test('who manages cgroups', () => {
  assert.equal(options('--systemd-cgroup').cgroupManager, 'systemd');
  assert.equal(options('--cgroup-manager=systemd').systemdCgroup, true);
  assert.equal(options('--systemd-cgroup', '--cgroup-manager', 'disabled').systemdCgroup, false);
  assert.throws(
    () => options('--systemd-cgroup', '--cgroup-manager', 'cgroupfs'),
    /contradicts --systemd-cgroup/,
  );
  assert.throws(() => options('--cgroup-manager', ''), /invalid cgroup-manager: /);
});

test('other values are told with what is allowed', () => {
  assert.throws(
    () => options('--log-format', 'xml'),
    /^RuntsError: invalid log-format: xml \(text or json\)$/,
  );
  assert.throws(
    () => options('--log-level', 'loud'),
    /invalid log-level: loud \(debug, info, warning or error\)/,
  );
  assert.throws(() => options('--rootless', 'perhaps'), /invalid rootless: perhaps \(true, false or auto\)/);
  assert.equal(options('--rootless', '1').rootless, 'true');
  assert.equal(options('--rootless=false').rootless, 'false');
  assert.equal(options('--rootless=').rootless, 'auto');
});

test('--root', () => {
  assert.equal(options('--root', '/var/x/../y').root, '/var/y');
  assert.equal(options('--root', '5').root, `${process.cwd()}/5`);
  assert.equal(options('--root', '/run/runts').rootExplicit, true);
  for (const slash of ['/', '//', '/a/..']) {
    assert.throws(() => options('--root', slash), /Option --root argument should not be set to \//);
  }
  assert.throws(() => options('--root='), /Option --root argument should not be empty/);
});
