import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { missingTargets } from './targets.ts';

test('what missing destinations are called behind symlinks', (t) => {
  const rootfs = mkdtempSync(join(tmpdir(), 'runts-targets-'));
  t.after(() => rmSync(rootfs, { recursive: true }));
  mkdirSync(join(rootfs, 'etc'));
  mkdirSync(join(rootfs, 'var'));
  const links = {
    'etc/resolv.conf': '../run/systemd/resolve/stub-resolv.conf',
    'etc/up': '../../../../outside',
    'etc/absolute': '/srv/there',
    'etc/present': '/var',
    'etc/one': 'two',
    'etc/two': 'one',
    'var/run': '/run',
    'etc/chain': 'absolute/deeper',
    'etc/host': tmpdir(),
    dev: '/elsewhere',
  };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(rootfs, name));
  const expected = {
    '/etc/resolv.conf': '/run/systemd/resolve/stub-resolv.conf',
    '/etc/up': '/outside',
    '/etc/up/more/../x': '/outside/x',
    'etc/absolute': '/srv/there',
    '/etc/chain': '/srv/there/deeper',
    '/var/run/docker.sock': '/run/docker.sock',
    '/etc/host': tmpdir(),
  };
  const plain = ['/', '/etc', '/etc/present', '/etc/new/x', '/etc/one/x', '/dev/x', '/proc/x', ''];
  assert.deepEqual(
    Object.fromEntries(missingTargets(rootfs, [...Object.keys(expected), ...plain])),
    expected,
  );
  assert.equal(missingTargets(join(rootfs, 'none'), Object.keys(expected)).size, 0);
});
